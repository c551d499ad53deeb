"""Cautious decay in worked numbers, and that a configuration reaches it."""

import pytest
import torch
from torch import nn

from mainstem import config, optim


def test_a_weight_that_the_step_enlarges_is_not_decayed():
    """u = (1, -1), w = (1, 1), lr 0.1, decay 1."""
    w = nn.Parameter(torch.ones(2))
    made = optim.SGD([{"params": [w], "weight_decay": 1.0}], lr=0.1, before=[optim.Cautious()])
    w.grad = torch.tensor([1.0, -1.0])
    made.step()
    torch.testing.assert_close(w.detach(), torch.tensor([0.8, 1.1]))


def test_where_there_is_no_update_it_decays_as_ever():
    w = nn.Parameter(torch.tensor([2.0, -2.0]))
    made = optim.SGD([{"params": [w], "weight_decay": 0.5}], lr=0.1, before=[optim.Cautious()])
    w.grad = torch.zeros(2)
    made.step()
    torch.testing.assert_close(w.detach(), torch.tensor([1.9, -1.9]))


def test_it_looks_at_the_update_and_not_at_the_gradient():
    """After two steps the gradient has turned and Adam's mean has not."""
    w = nn.Parameter(torch.tensor([1.0]))
    made = optim.AdamW([{"params": [w], "weight_decay": 1.0}], lr=0.01, before=[optim.Cautious()])
    for grad in (1.0, 1.0, -0.1):
        before, w.grad = w.detach().clone(), torch.tensor([grad])
        made.step()
    mean, square = 0.1 * 0.81 + 0.1 * 0.9 - 0.01, 0.001 * 0.999**2 + 0.001 * 0.999 + 0.001 * 0.01
    u = mean / (1 - 0.9**3) / ((square / (1 - 0.999**3)) ** 0.5 + 1e-8)
    assert u > 0
    torch.testing.assert_close(w.detach(), before * 0.99 - 0.01 * u, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_configuration_names_it(name):
    run = config.load({"optim.name": name, "optim.decay_kind": "cautious"})
    layer = nn.Linear(4, 4)
    layer.roles = lambda: {"weight": "feedforward.in"}
    assert optim.make(layer, run.optim).before == (optim.Cautious(),)
    assert optim.make(layer, config.Optim(name=name)).before == (optim.Decay(),)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_signs_decide_where_the_product_is_too_small_for_the_type(dtype):
    small = torch.finfo(dtype).tiny
    w, u = torch.full((2,), small, dtype=dtype), torch.tensor([-small, small], dtype=dtype)
    optim.Cautious()([w], [u], [{"lr": 0.5, "weight_decay": 1.0}])
    assert w.tolist() == [small, small / 2]
