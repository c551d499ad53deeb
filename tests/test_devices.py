"""What lies on different devices is said in a sentence, wherever tensors come in: by the meta device, which is always
there, and of which torch computes some things from memory that is not there, without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from metal import NoFloat64
from torch import Tensor, nn

from mainstem import Residual, Stack, blocks, measure, noise, optim
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings, generate

WIDTH = 8


def language() -> LanguageModel:
    return LanguageModel(Settings(vocab=11, layers=1, width=WIDTH, heads=2, context=6), seed=0)


def bound(spec: noise.NoiseSpec) -> nn.Module:
    return noise.bind(nn.ModuleDict({"a": spec.build()}))["a"]


X, TOKENS, HEADS = torch.ones(2, 3, WIDTH), torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 2, 3, 4)
MODELS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "language model": (language, TOKENS),
    "residual": (lambda: Residual(nn.Linear(WIDTH, WIDTH)), X),
    "stack": (lambda: Stack("hyper", [nn.Linear(WIDTH, WIDTH)], WIDTH), X),
    "encoder": (lambda: blocks.TransformerEncoderLayer(WIDTH, 2, 16), X),
}
NOISES: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "dropout": (lambda: noise.Dropout(0.5), X),
    "stochastic depth": (lambda: noise.StochasticDepth(0.5), X),
    "gaussian": (lambda: bound(noise.Gaussian(0.5)), X),
    "heads": (lambda: bound(noise.DropHead(0.5)), HEADS),
}
both = pytest.mark.parametrize("where", ["model", "input"])


@both
@pytest.mark.parametrize("name", MODELS)
def test_a_model_and_its_input(name: str, where: str) -> None:
    make, x = MODELS[name]
    model = make()
    if where == "model":
        model = model.to("meta")
    with pytest.raises(BadInput, match=r"on meta.* on cpu|on cpu.* on meta"):
        model(x.to("meta") if where == "input" else x)


@pytest.mark.parametrize("name", NOISES)
def test_noise_that_has_no_numbers(name: str) -> None:
    make, x = NOISES[name]
    with pytest.raises(BadInput, match=r"on meta.* on cpu|on cpu.* on meta"):
        make().to("meta")(x)


MORE: dict[str, Callable[[], Any]] = {
    "targets": lambda: language()(TOKENS, targets_BT=TOKENS.to("meta")),
    "documents": lambda: language()(TOKENS, TOKENS.to("meta")),
    "generate": lambda: list(generate(language().to("meta"), [1, 2], 3)),
    "a mask": lambda: blocks.TransformerEncoderLayer(WIDTH, 2, 16)(X, torch.zeros(2, 2, device="meta")),
    "padding": lambda: blocks.TransformerEncoderLayer(WIDTH, 2, 16)(
        X, src_key_padding_mask=torch.zeros(3, 2, dtype=torch.bool, device="meta")
    ),
    "a shortcut": lambda: Residual(nn.Linear(WIDTH, 4), shortcut=nn.Linear(WIDTH, 4).to("meta"))(X),
    "roles by use": lambda: optim.roles_by_use(nn.Sequential(nn.Linear(WIDTH, 4), nn.LayerNorm(4)).to("meta"), X),
    "roles by use of an input": lambda: optim.roles_by_use(nn.LayerNorm(WIDTH), X.to("meta")),
    "watch": lambda: watched(nn.Linear(WIDTH, 4), X.to("meta")),
}


def watched(model: nn.Module, x: Tensor) -> None:
    with measure.watch(model):
        model(x)


@pytest.mark.parametrize("name", MORE)
def test_what_comes_in_beside(name: str) -> None:
    with pytest.raises(BadInput, match=r"on meta.* on cpu|on cpu.* on meta"):
        MORE[name]()


@pytest.mark.parametrize("targets", [False, True])
def test_a_language_model_that_is_on_meta_as_a_whole_has_shapes(targets: bool) -> None:
    model, tokens = language().to("meta"), TOKENS.to("meta")
    found = model(tokens, targets_BT=tokens, reduction="none") if targets else model(tokens)
    assert found.is_meta and found.shape == ((2, 3) if targets else (2, 3, 11))


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_language_model_goes_to_a_device_without_float64_and_learns_there(positions: Any) -> None:
    model = LanguageModel(Settings(vocab=11, layers=1, width=WIDTH, heads=2, context=6, positions=positions), seed=0)
    with NoFloat64():
        model, tokens = model.to("meta"), TOKENS.to("meta")
        with pytest.raises(TypeError, match="float64"):
            tokens.double()
        with noise.counter(seed=0, step=1, samples=range(2)):
            model(tokens, targets_BT=tokens).backward()
    assert all(p.grad is not None for p in model.parameters())
