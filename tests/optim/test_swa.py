"""The mean of the weights: torch's, where it begins, over an interruption, and from a configuration."""

import pytest
import torch
from learners import made
from torch import nn
from torch.optim.swa_utils import AveragedModel

from mainstem import config, optim
from mainstem.errors import BadInput
from mainstem.optim.averaging import Average, make
from mainstem.train import Learner, keeping
from mainstem.train.world import ALONE


def moved(model, seed):
    torch.manual_seed(seed)
    for p in model.parameters():
        p.data = torch.randn_like(p)


@pytest.mark.parametrize("begin", [0, 3])
def test_it_is_the_average_of_torch_from_there_on(begin):
    model = nn.Linear(3, 2)
    ours, theirs = Average(model, optim.SWA(begin)), AveragedModel(model)
    for seed in range(8):
        moved(model, seed)
        ours.update(model)
        if seed >= begin:
            theirs.update_parameters(model)
        with ours.swap(model):
            held = {name: p.detach().clone() for name, p in model.named_parameters()}
        if seed < begin:
            assert all(p.equal(held[name]) for name, p in model.named_parameters())
    for name, p in theirs.module.named_parameters():
        torch.testing.assert_close(held[name], p.detach())


def test_it_goes_on_from_its_state():
    model = nn.Linear(3, 2)
    whole, first, second = (Average(model, optim.SWA(2)) for _ in range(3))
    for seed in range(7):
        moved(model, seed)
        whole.update(model)
        (first if seed < 4 else second).update(model)
        if seed == 3:
            second.load(first.state())
    assert all(value.equal(second.state()[name]) for name, value in whole.state().items())


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        ({"optim.swa": 0.25}, optim.SWA(75)),
        ({"optim.swa": 1}, optim.SWA(0)),
        ({"optim.swa": 0.001}, optim.SWA(99)),
        ({"optim.average": 0.9}, optim.EMA(0.9)),
    ],
)
def test_a_configuration_says_over_which_share_of_the_steps(flags, rule):
    found = make(nn.Linear(2, 2), config.load(flags).optim, steps=100)
    assert found.rule == rule
    assert make(nn.Linear(2, 2), config.Optim(), steps=100) is None


def test_a_run_keeps_the_mean_of_its_last_weights(tmp_path):
    first = made(tmp_path)
    run = config.override(first.run, {"optim.swa": 0.5, "optim.lr": 0.05, "optim.warmup": 0.0})
    learner = Learner.of(run, first.task, first.data, ALONE, steps=6)
    seen = []
    for step in range(1, 7):
        learner.step(step)
        seen.append({name: p.detach().double().clone() for name, p in learner.model.named_parameters()})
    kept = keeping.measured(learner)
    for name, value in seen[0].items():
        right = sum(weights[name] for weights in seen[3:]) / 3
        torch.testing.assert_close(kept[name].double(), right, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(right, seen[-1][name]) or not value.any()


def test_a_beginning_before_the_first_update_is_refused():
    with pytest.raises(BadInput, match="An average cannot begin at update -1: give 0 or more"):
        optim.SWA(-1)
