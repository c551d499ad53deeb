"""Weight decay over a training: what a learner's groups have at each step, and what comes of the weights."""

import math
from pathlib import Path

import pytest
import torch
from learners import made
from torch import nn

from mainstem import config, optim, progress
from mainstem.optim import decay_course
from mainstem.train import Learner, keeping
from mainstem.train.world import ALONE

STEPS = 8


def learner(tmp_path: Path, **flags: object) -> Learner:
    first = made(tmp_path)
    run = config.override(first.run, {f"optim.{name}": value for name, value in flags.items()})
    return Learner.of(run, first.task, first.data, ALONE, steps=STEPS)


def decays(found: Learner) -> set[float]:
    return {group["weight_decay"] for group in found.optimizer.param_groups}


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_the_groups_have_the_share_of_each_step(tmp_path: Path, name: str) -> None:
    rising = {"name": "rising", "begin": 0.25, "end": 0.75}
    found = learner(tmp_path, name=name, decay=0.4, decay_course=rising)
    course = progress.Rising(0.25, 0.75)
    for step in range(1, STEPS + 1):
        found.step(step)
        assert decays(found) == {0.4 * course.at((step - 1) / (STEPS - 1)), 0.0}


def test_a_constant_one_changes_nothing_in_the_groups(tmp_path: Path) -> None:
    plain = learner(tmp_path, decay=0.4)
    plain.step(1)
    assert decays(plain) == {0.4, 0.0}
    assert not any(decay_course.FULL in group for group in plain.optimizer.param_groups)


def test_a_run_that_goes_on_has_the_decay_of_before(tmp_path: Path) -> None:
    one = learner(tmp_path, decay=0.4, decay_course="falling")
    for step in (1, 2, 3):
        one.step(step)
    other = learner(tmp_path, decay=0.4, decay_course="falling")
    keeping.load(other, keeping.state(one))
    for step in (4, 5):
        assert torch.equal(one.step(step).numbers["loss"], other.step(step).numbers["loss"])
    assert decays(one) == decays(other) != {0.4, 0.0}
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_weights_without_a_gradient_shrink_by_the_product_of_all_steps() -> None:
    layer = nn.Linear(3, 3, bias=False).double()
    before = layer.weight.detach().clone()
    optimizer = optim.AdamW(optim.groups(layer, decay=0.5), lr=0.1)
    falling = progress.Falling(end=0.5)
    shares = [falling.at(progress.of(step, STEPS)) for step in range(1, STEPS + 1)]
    for share in shares:
        decay_course.apply(optimizer, share)
        layer.weight.grad = torch.zeros_like(layer.weight)
        optimizer.step()
    expected = before * math.prod(1 - 0.1 * 0.5 * share for share in shares)
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-12, atol=0)
