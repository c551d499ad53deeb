"""torch.export makes one graph for any number of samples: of every form, every noise, and the layers of `blocks`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mainstem import Residual, Stack, blocks, catalogue, noise
from mainstem.model import LanguageModel, Settings

WIDTH = 16
QUICK = ("hyper", "mhc_lite", "depth", "drop_head", "residual", "encoder with noise")
"""Those of which `make test` has one graph; it takes seconds to make."""


def each(names: Iterable[str]) -> pytest.MarkDecorator:
    """Return all `names` as parameters, which are slow but for a few."""
    marks = {name: () if name in QUICK else pytest.mark.slow for name in names}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=mark) for name, mark in marks.items()])


def model(**settings: Any) -> LanguageModel:
    return LanguageModel(Settings(vocab=13, layers=2, width=WIDTH, heads=2, context=6, **settings), seed=0)


def exported(module: nn.Module, *given: Tensor) -> nn.Module:
    """Return the graph of `module` for any number of samples."""
    batch = torch.export.Dim("batch", min=2, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns of is torch's
        made = torch.export.export(module, given, dynamic_shapes=tuple({0: batch} for _ in given))
    return made.module()


def tokens(rows: int) -> Tensor:
    return torch.arange(6 * rows).view(rows, 6) * 7 % 13


@each(catalogue.names("residual"))
def test_a_model_with_each_form(name: str) -> None:
    made = model(residual=name).eval()
    graph = exported(made, tokens(3))
    for rows in (2, 5):
        torch.testing.assert_close(graph(tokens(rows)), made(tokens(rows)), rtol=1e-4, atol=1e-5)


@each(catalogue.names("noise"))
def test_a_model_in_training_with_each_noise(name: str) -> None:
    """Masks are drawn by torch's generator there: another number of samples is enough to see that none is fixed."""
    graph = exported(model(also=[{"name": name, "rate": 0.3}]).train(), tokens(3))
    assert [graph(tokens(rows)).shape[0] for rows in (2, 5)] == [2, 5]


FOREIGN = {
    "residual": lambda: Residual([nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), noise.Dropout(0.3)], drop_path=0.3),
    "stochastic depth": lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), noise.StochasticDepth(0.3)),
    "stack": lambda: Stack("hyper", [nn.Linear(WIDTH, WIDTH)] * 2, WIDTH, noises=[noise.Branches(0.3)]),
    "encoder": lambda: blocks.TransformerEncoderLayer(WIDTH, 2, 32, batch_first=True, form="sandwich"),
    "encoder with noise": lambda: blocks.TransformerEncoderLayer(
        WIDTH, 2, 32, batch_first=True, noise=[noise.DropHead(0.3), noise.Branches(0.3)]
    ),
    "decoder": lambda: blocks.TransformerDecoderLayer(WIDTH, 2, 32, batch_first=True),
}


@pytest.mark.parametrize("training", [False, True])
@each(FOREIGN)
def test_parts_for_models_of_ones_own(name: str, training: bool) -> None:
    module, count = FOREIGN[name]().train(training), 2 if name == "decoder" else 1
    graph = exported(module, *[torch.randn(3, 6, WIDTH)] * count)
    for rows in (2, 5):
        given = [torch.randn(rows, 6, WIDTH)] * count
        found = graph(*given)
        assert found.shape == given[0].shape
        if not training:
            torch.testing.assert_close(found, module(*given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_a_stack_of_images(training: bool) -> None:
    made = Stack("hyper", [nn.Conv2d(4, 4, 3, padding=1)] * 2, 4, axis=1).train(training)
    graph = exported(made, torch.randn(3, 4, 5, 5))
    for rows in (2, 5):
        x = torch.randn(rows, 4, 5, 5)
        torch.testing.assert_close(graph(x), made(x), rtol=1e-4, atol=1e-5)
