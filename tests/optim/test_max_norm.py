"""Rows kept within a norm: torch's own renorm is the oracle."""

import pytest
import torch
from torch import nn

from mainstem import optim
from mainstem.errors import BadInput


def stepped(model, limit, on=None, lr=0.0, groups=None):
    """Take a step of rate 0 along gradients of ones, so that what is left is the norm's work."""
    made = optim.SGD(optim.groups(model, decay=0.0) if groups is None else groups, after=[optim.MaxNorm(limit, on)])
    for group in made.param_groups:
        group["lr"] = lr
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    made.step()


@pytest.mark.parametrize("layer", [nn.Linear(5, 7), nn.Conv2d(3, 4, 3), nn.Embedding(6, 4)])
def test_it_is_torchs_renorm_over_rows(layer):
    torch.manual_seed(0)
    before = nn.init.normal_(layer.weight).detach().clone()
    stepped(layer, 2.0)
    # renorm's factor is limit / (norm + 1e-7)
    torch.testing.assert_close(layer.weight.detach(), torch.renorm(before, 2, 0, 2.0), rtol=1e-6, atol=1e-6)
    rows = before.flatten(1).norm(dim=1)
    assert (rows < 2.0).any() or isinstance(layer, nn.Conv2d)
    inside = rows <= 2.0
    assert layer.weight[inside].equal(before[inside])
    once = layer.weight.detach().clone()
    stepped(layer, 2.0)
    torch.testing.assert_close(layer.weight.detach(), once, rtol=1e-6, atol=0)


def test_it_takes_the_matrices_unasked_and_what_a_pattern_says():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    for p in model.parameters():
        nn.init.constant_(p, 3.0)
    stepped(model, 1.0)
    assert model[0].weight.norm(dim=1).tolist() == pytest.approx([1.0] * 4)
    assert all((p == 3.0).all() for p in (model[0].bias, model[1].weight, model[1].bias))
    stepped(model, 2.0, on="bias")
    assert model[0].bias.norm().item() == pytest.approx(2.0)  # a vector is one row
    stepped(model, 0.5, groups=model.parameters())  # nobody says what they are: by shape
    assert model[0].weight.norm(dim=1).tolist() == pytest.approx([0.5] * 4) and (model[1].weight == 3.0).all()


def test_rows_of_zeros_stay_and_what_is_not_finite_is_not_hidden():
    layer = nn.Linear(2, 3, bias=False)
    layer.weight.data = torch.tensor([[0.0, 0.0], [torch.nan, 1.0], [3.0, 4.0]])
    stepped(layer, 1.0)
    assert layer.weight[0].tolist() == [0.0, 0.0] and layer.weight[1].isnan().any()
    assert layer.weight[2].tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_limits_are_refused(limit):
    with pytest.raises(BadInput, match=f"limit {limit} of MaxNorm"):
        optim.MaxNorm(limit)


def test_a_scalar_is_one_row():
    model = nn.Module()
    model.gain = nn.Parameter(torch.tensor(-5.0))
    stepped(model, 2.0, on="gain")
    assert model.gain.shape == () and model.gain.item() == -2.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rows_in_half_precision_are_those_of_wide_numbers_rounded(dtype):
    """The first row's norm is 8e4, which float16 has not."""
    layer = nn.Linear(64, 2, bias=False).to(dtype)
    layer.weight.data = torch.stack([torch.full((64,), 1e4), torch.linspace(0.1, 0.7, 64)]).to(dtype)
    right = torch.renorm(layer.weight.detach().double(), 2, 0, 2.0)
    stepped(layer, 2.0)
    torch.testing.assert_close(layer.weight.detach().double(), right, rtol=torch.finfo(dtype).eps / 2, atol=1e-7)
