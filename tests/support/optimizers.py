"""Our optimizers as somebody makes them, and a net to move, for the contract of torch's optimizers."""

import pytest
import torch
from torch import nn

from mainstem import optim

MAKERS = {
    "adamw": lambda groups, **options: optim.AdamW(groups, lr=0.1, **options),
    "muon": lambda groups, **options: optim.Muon(groups, lr=0.1, adamw_lr=0.1, roles=("linear",), **options),
    "sgd": lambda groups, **options: optim.SGD(groups, lr=0.1, momentum=0.9, **options),
}
each = pytest.mark.parametrize("make", list(MAKERS.values()), ids=list(MAKERS))


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def backward(model, seed=0, scale=lambda loss: loss):
    torch.manual_seed(seed)
    model.zero_grad()
    scale(model(torch.randn(5, 3)).square().mean()).backward()


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(a, b):
    return all(x.equal(y) for x, y in zip(a, b, strict=True))


def moments(optimizer):
    return {
        (index, entry): value.clone()
        for index, state in optimizer.state_dict()["state"].items()
        for entry, value in state.items()
    }
