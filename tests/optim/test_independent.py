"""Decay that knows the schedule and not the peak, and decay by passes over a text: closed forms of both."""

import math
from pathlib import Path

import msgspec
import pytest
import torch
from learners import made
from torch import nn

from mainstem import config, optim
from mainstem.errors import BadInput
from mainstem.train import Learner


def left(before, lr, decay, shares):
    """Return what is left of a weight without gradient after steps with these shares of the peak."""
    layer = nn.Linear(3, 3, bias=False).double()
    began = layer.weight.detach().clone()
    optimizer = optim.AdamW(optim.groups(layer, decay=decay), lr, before=[before])
    for share in shares:
        optim.schedule.apply(optimizer, share)
        layer.weight.grad = torch.zeros_like(layer.weight)
        optimizer.step()
    return (layer.weight / began).mean().item()


@pytest.mark.parametrize("before", [optim.Independent(), optim.Passes()])
def test_what_is_left_follows_the_schedule_and_not_the_peak(before):
    shares = (0.5, 1.0, 0.25)
    right = math.prod(1 - share * 0.01 for share in shares)
    assert left(before, 1e-3, 0.01, shares) == pytest.approx(right, rel=1e-12)
    assert left(before, 1.0, 0.01, shares) == pytest.approx(right, rel=1e-12)
    assert left(optim.Decay(), 1e-3, 10.0, shares) == pytest.approx(right, rel=1e-12)  # lr decay is the other's decay
    assert left(before, 0.0, 0.01, shares) == 1.0


def with_decay(learner: Learner, steps: int, **changes: object) -> Learner:
    run = msgspec.structs.replace(learner.run, optim=config.Optim(values={"lr": 0.1}, warmup=0.0, **changes))
    return Learner.of(run, learner.task, learner.data, learner.world, steps=steps)


def test_passes_leave_an_e_th_after_as_many_passes(tmp_path: Path) -> None:
    base = made(tmp_path)
    learner = with_decay(base, 10, decay=3.0, decay_kind="passes")
    steps = len(base.data.train) / (4 * 16)
    (decay,) = {group["weight_decay"] for group in learner.optimizer.param_groups} - {0.0}
    assert decay == pytest.approx(1 / (3 * steps))
    assert (1 - decay) ** (3 * steps) == pytest.approx(math.exp(-1), rel=0.01)
    groups = [config.Group(on="attention", decay=6.0), config.Group(on="embedding", decay=0.0)]
    learner = with_decay(base, 10, decay=3.0, decay_kind="passes", groups=groups)
    found = {group["role"]: group["weight_decay"] for group in learner.optimizer.param_groups}
    assert found["attention.query"] == pytest.approx(decay / 2) and found["embedding"] == 0.0
    with pytest.raises(BadInput, match=r"optim\.decay 1e-05 is less than a step of passes"):
        with_decay(base, 10, decay=1e-5, decay_kind="passes")


def test_l2_under_sgd_is_a_decay_of_twice_its_coef_and_under_adamw_it_is_not():
    from mainstem import penalty

    found = {}
    for name, maker in (("sgd", optim.SGD), ("adamw", optim.AdamW)):
        for decays in (True, False):
            torch.manual_seed(0)
            layer, x = nn.Linear(4, 4, bias=False).double(), torch.randn(8, 4).double()
            optimizer = maker(optim.groups(layer, decay=0.6 if decays else 0.0), 0.05)
            for _ in range(5):
                optimizer.zero_grad()
                (layer(x).square().mean() + (0.0 if decays else penalty.L2(0.3)(layer))).backward()
                optimizer.step()
            found[name, decays] = layer.weight.detach()
    torch.testing.assert_close(found["sgd", True], found["sgd", False], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(found["adamw", True], found["adamw", False], rtol=1e-2)
