"""Every optimizer of the package over one small net, for laws."""

import torch
from torch import nn

from mainstem import optim
from mainstem.optim.averaging import Average

RATE = 0.05
MAKERS = {"adamw": optim.AdamW, "muon": optim.Muon, "sgd": optim.SGD}
OWN = {"muon": {"roles": ("linear",), "adamw_lr": RATE}, "sgd": {"momentum": 0.9}}


def make(name, model, decay=0.1, **options):
    return MAKERS[name](optim.groups(model, decay=decay), RATE, **OWN.get(name, {}), **options)


def net(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 9), nn.Tanh(), nn.LayerNorm(9), nn.Linear(9, 7)).to(dtype)


def backward(model, seed):
    torch.manual_seed(seed)
    model.zero_grad()
    model(torch.randint(7, (4, 5))).logsumexp(-1).square().mean().backward()


def trained(name, model, optimizer, steps=4, max_norm=0.05):
    """Return weights, averages and moments after some steps with clipping."""
    average = Average(model, decay=0.2)
    for seed in range(steps):
        backward(model, seed)
        optim.update(optimizer, model, max_norm, average)
    states = {f"{key}/{i}": value for i, s in optimizer.state_dict()["state"].items() for key, value in s.items()}
    return dict(model.named_parameters()) | {f"average/{key}": a for key, a in average.state().items()} | states


def close(found, right, rtol=1e-4, atol=1e-5):
    assert list(found) == list(right)
    for key, value in found.items():
        wanted = right[key].to(value.dtype)
        torch.testing.assert_close(value, wanted, rtol=rtol, atol=atol, msg=lambda m, k=key: f"{k}: {m}")
