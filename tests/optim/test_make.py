"""The optimizer that a configuration names."""

import pytest
from torch import nn

from mainstem.config import Optim
from mainstem.errors import BadInput
from mainstem.optim import Adam, Update, make


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(3, 3)
        self.table = nn.Embedding(4, 3)

    def roles(self):
        return {"up.weight": "feedforward.in"}

    def multipliers(self):
        return {"up.weight": 0.5}


def values(optimizer):
    return {
        name: (group["peak"], group["lr"], group["weight_decay"], tuple(group["betas"]), group["eps"])
        for group in optimizer.param_groups
        for name in group["names"]
    }


def test_adamw():
    made = make(Net(), Optim(decay=0.3, values={"lr": 0.2, "betas": (0.8, 0.9), "eps": 1e-6}))
    assert isinstance(made, Update) and made.methods == {"adamw": Adam(0.2, (0.8, 0.9), 1e-6)}
    assert values(made) == {
        "up.weight": (0.1, 0.1, 0.3, (0.8, 0.9), 1e-6),
        "up.bias": (0.2, 0.2, 0.0, (0.8, 0.9), 1e-6),
        "table.weight": (0.2, 0.2, 0.3, (0.8, 0.9), 1e-6),
    }


def test_muon():
    made = make(
        Net(), Optim(name="muon", decay=0.3, decay_on="embedding", values={"lr": 0.2, "muon_lr": 0.4, "momentum": 0.7})
    )
    assert list(made.methods) == ["muon", "adamw"]
    assert values(made) == {
        "up.weight": (0.2, 0.2, 0.0, (0.9, 0.95), 1e-8),
        "up.bias": (0.2, 0.2, 0.0, (0.9, 0.95), 1e-8),
        "table.weight": (0.2, 0.2, 0.3, (0.9, 0.95), 1e-8),
    }
    assert {group["method"]: group["role"] for group in made.param_groups}["muon"] == "feedforward.in"
    assert {group["momentum"] for group in made.param_groups} == {0.7}


def test_a_decay_pattern_that_fits_nothing_is_refused():
    with pytest.raises(BadInput, match=r"'embeding'.*embedding"):
        make(Net(), Optim(decay_on="embeding"))
