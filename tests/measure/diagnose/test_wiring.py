"""Parameters that cannot learn, and a residual in a residual."""

import pytest
import torch
import torch.nn.functional as F
from faulty import X8, Detached, watched
from torch import nn

from mainstem import Residual, Stack, measure


def test_a_parameter_without_a_gradient():
    assert (
        "2 parameters without a gradient: `a.weight`, `a.bias`" in watched(Detached(True), X8)["no gradient"].evidence
    )
    assert watched(Detached(False), X8) == {}


def test_a_parameter_that_no_optimizer_has():
    model = Detached(False)
    found = watched(model, X8, torch.optim.SGD(model.b.parameters(), 1e-3))
    assert "2 parameters in no group of the optimizer: `a.weight`" in found["not optimized"].evidence
    assert "not optimized" not in watched(model, X8, torch.optim.SGD(model.parameters(), 1e-3))


class Whole(nn.Module):
    """Somebody's layer with its residual; `way` says where the sum is made."""

    def __init__(self, way):
        super().__init__()
        self.norm, self.up, self.down, self.way = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16), way

    def forward(self, x):
        y = self.down(F.gelu(self.up(self.norm(x))))
        if self.way == "gated":
            return x * torch.sigmoid(y)
        if self.way == "part":
            return self.down(F.gelu(self.up(self.norm(x + y))))
        if self.way == "in place":
            return y.add_(x)
        return {"sum": x + y, "tuple": (x + y, None), "branch": y}[self.way]


@pytest.mark.parametrize("way", ["sum", "in place", "tuple", "branch", "gated", "part"])
@pytest.mark.parametrize("holder", ["residual", "several", "stack", "hyper", "images"])
def test_a_layer_with_a_residual_of_its_own_in_another_one(way, holder):
    layers = [Whole(way) for _ in range(3)]
    models = {
        "residual": lambda: nn.Sequential(*[Residual([nn.LayerNorm(16), layer]) for layer in layers]),
        "several": lambda: nn.Sequential(*[Residual([layer, nn.Linear(16, 16)]) for layer in layers]),
        "stack": lambda: Stack("pre_norm", layers, 16),
        "hyper": lambda: Stack("hyper", layers, 16),
        "images": lambda: Stack("post_norm", layers, 16),
    }
    model = models[holder]()
    if holder in ("residual", "several"):
        model = Firsts(model)
    with measure.watch(model) as m:
        model(torch.randn(4, 5, 5, 16) if holder == "images" else torch.randn(4, 5, 16)).square().mean().backward()
    found = {finding.fault: finding for finding in m.diagnose()}
    assert ("added twice" in found) == (way in ("sum", "in place", "tuple") and holder != "several")
    if "added twice" in found:
        assert "add the input to the output, and the residual around adds it once more" in str(found["added twice"])


class Firsts(nn.Module):
    """Residuals in a row, of which each may return more than y."""

    def __init__(self, chain):
        super().__init__()
        self.chain = chain

    def forward(self, x):
        for each in self.chain:
            found = each(x)
            x = found[0] if isinstance(found, tuple) else found
        return x
