"""SGD's direction against torch's, with and without momentum, and a decay that is decoupled."""

import copy

import pytest
import torch
from torch import nn

from mainstem import optim


def backward(model, seed):
    torch.manual_seed(seed)
    model.zero_grad()
    model(torch.randn(6, 3)).square().mean().backward()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_is_torchs_sgd(momentum):
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    theirs = copy.deepcopy(ours)
    optimizers = (
        optim.SGD(ours.parameters(), lr=0.1, momentum=momentum),
        torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=momentum),
    )
    for seed in range(5):
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            backward(model, seed)
            optimizer.step()
    assert all(p.equal(q) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_decay_enters_no_momentum():
    w = nn.Parameter(torch.ones(3))
    made = optim.SGD([{"params": [w], "weight_decay": 0.5}], lr=0.1, momentum=0.9)
    for _ in range(4):
        w.grad = torch.zeros(3)
        made.step()
    torch.testing.assert_close(w.detach(), torch.full((3,), 0.95**4))


def test_a_group_may_begin_to_have_momentum():
    w = nn.Parameter(torch.zeros(1))
    made = optim.SGD([w], lr=1.0)
    for momentum in (0.0, 0.5, 0.5):
        made.param_groups[0]["momentum"] = momentum
        w.grad = torch.ones(1)
        made.step()
    assert w.item() == -(1 + 1 + 1.5)
