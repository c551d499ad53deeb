"""A form's connection around a residual of its own: any axes, and its place among others."""

import pytest
import torch
from torch import nn

from mainstem import Residual, Stack, form
from mainstem.stream import sites

SHAPES = [(5, 12), (5, 7, 12), (5, 3, 2, 12), (2, 2, 3, 2, 12)]
ALONE = [form.PreNorm(), form.PostNorm(), form.Highway(), form.LAuReL(), form.DeepDelta(), form.Reversible(),
         form.Plain(), form.Hyper(), form.MHC(), form.MHCLite()]  # fmt: skip


@pytest.mark.parametrize("connection", ALONE, ids=lambda each: type(each).__name__)
def test_a_forms_connection_takes_any_axes(connection):
    torch.manual_seed(0)
    residual = Residual([nn.LayerNorm(12), nn.Linear(12, 12)], connection, width=12)
    for parameter in residual.parameters():
        nn.init.normal_(parameter, std=0.3)
    rows = torch.randn(60, 1, 12)
    whole = residual(rows)
    for shape in SHAPES:
        x = rows[: torch.Size(shape[:-1]).numel()].reshape(shape)
        torch.testing.assert_close(residual(x), whole[: x.numel() // 12].reshape(shape), rtol=1e-5, atol=1e-6)


def test_residuals_at_their_sites_are_the_stack_of_the_form():
    torch.manual_seed(0)
    layers = [nn.Linear(8, 8) for _ in range(4)]
    places = sites(("feedforward",), 4, 8)
    chain = [
        Residual([site.norm.build(8), layer], connection=form.Hyper(), site=site)
        for site, layer in zip(places, layers, strict=True)
    ]
    stream, stack, x = form.Hyper().stream(places), Stack("hyper", layers, 8), torch.randn(2, 3, 8)
    state = stream.open(x)
    for residual in chain:
        state = residual(state)
    torch.testing.assert_close(stream.close(state), stack(x), rtol=1e-5, atol=1e-6)
    assert stream.open(x[:, 0]).main.shape == (2, 4, 8)
