"""Runs parts of the package on a second device and prints a line for each, `equal` or what differs."""

from __future__ import annotations

import copy
import sys
import traceback
from collections.abc import Callable

import pytest
import second  # makes the device
import torch
from torch import Tensor, nn

from mainstem import Residual, Stack, blocks, form, measure, noise, optim, penalty
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings

WIDTH = 8
BOTH = f"(?s)(?=.*cpu)(?=.*{second.NAME})"
X, TOKENS = torch.randn(3, 4, WIDTH), torch.arange(12).view(3, 4) % 11


def feed_forward() -> nn.Module:
    return nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 16), nn.GELU(), nn.Linear(16, WIDTH), noise.Dropout(0.3))


def language(residual: str = "pre_norm") -> LanguageModel:
    return LanguageModel(Settings(vocab=11, layers=2, width=WIDTH, heads=2, context=6, residual=residual), seed=0)


MODELS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "residual": (lambda: Residual(feed_forward(), drop_path=0.5), X),
    "hyper, one": (lambda: Residual(feed_forward(), connection=form.Hyper(), width=WIDTH), X),
    "stack": (lambda: Stack("hyper", [feed_forward() for _ in range(2)], WIDTH), X),
    "stack, dense": (lambda: Stack("denseformer", [feed_forward() for _ in range(2)], WIDTH), X),
    "encoder": (lambda: blocks.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True), X),
    "language model": (language, TOKENS),
    "highway": (lambda: Residual(feed_forward(), connection=form.Highway(), width=WIDTH), X),
    "laurel": (lambda: Residual(feed_forward(), connection=form.LAuReL(), width=WIDTH), X),
    "post-norm": (lambda: Residual(nn.Linear(WIDTH, WIDTH), connection=form.PostNorm(), width=WIDTH), X),
    "torch's, taken over": (lambda: nn.TransformerEncoderLayer(WIDTH, 2, 16, 0.3, batch_first=True), X),
}


def steps(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Return what two steps of training give: outputs and weights, on the CPU."""
    optimizer, found = optim.AdamW(optim.groups(model, decay=0.1), lr=1e-2), []
    for step in (1, 2):
        with noise.counter(seed=1, step=step, samples=range(3)):
            y = model(x)
        loss = y.square().mean() + penalty.L2(1e-3)(model)
        loss.backward()
        optim.clip(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append(y.detach().cpu())
    return found + [p.detach().cpu() for p in model.parameters()]


def same(name: str) -> None:
    """Raise where the second device gives other numbers than the CPU."""
    make, x = MODELS[name]
    model = make().train().double()
    x = x if x.dtype == torch.int64 else x.double()
    other = copy.deepcopy(model).to(second.NAME)
    for each in (model, other):
        noise.take_over(each) if "taken" in name else noise.bind(each)
    pairs = zip(steps(model, x), steps(other, x.to(second.NAME)), strict=True)
    for one, two in pairs:
        assert one.is_floating_point()
        torch.testing.assert_close(two, one, rtol=1e-6, atol=1e-8)


def refused(name: str) -> None:
    """Raise where a model and its input on two devices are not told so in a sentence of ours with both."""
    make, x = MODELS[name]
    for model, given in ((make().to(second.NAME), x), (make(), x.to(second.NAME))):
        with pytest.raises(BadInput, match=BOTH):
            noise.bind(model)(given)


def watched(name: str) -> None:
    """Raise where `measure.watch` does not say that the input lies elsewhere."""
    make, x = MODELS[name]
    with pytest.raises(BadInput, match=BOTH), measure.watch(make().to(second.NAME)) as m:
        m.model(x)


class Shifted(nn.Module):
    """A layer with weights and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("shift", torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.shift


def connected() -> nn.Module:
    model = Residual(nn.Linear(WIDTH, WIDTH), connection=form.Highway(), width=WIDTH)
    model.connection.register_buffer("shift", torch.ones(WIDTH))
    return model


HOLDERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a branch": (lambda: Residual(Shifted()), "branch"),
    "a shortcut": (lambda: Residual(nn.Linear(WIDTH, WIDTH), shortcut=Shifted()), "shortcut"),
    "a connection": (connected, "connection"),
    "a layer of a stack": (lambda: Stack("hyper", [Shifted()], WIDTH), "blocks"),
}
"""Where a buffer may be, and which of the model's modules has it."""


def buffer_refused(name: str) -> None:
    """Raise where a buffer that stayed behind on the CPU is not named, with both devices."""
    make, where = HOLDERS[name]
    model = make().to(second.NAME)
    owner = next(each for each in model.get_submodule(where).modules() if "shift" in each._buffers)
    owner.shift = torch.ones(WIDTH)
    with pytest.raises(BadInput, match=f"{BOTH}.*shift' on cpu"):
        model(X.to(second.NAME))


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for check in (same, refused, watched, buffer_refused):
        for name in HOLDERS if check is buffer_refused else MODELS:
            if check is refused and "torch's" in name:
                continue
            said = f"{check.__name__}, {name}"
            try:
                check(name)
            except (AssertionError, RuntimeError, TypeError, ValueError, pytest.fail.Exception) as error:
                print(f"{said}: {type(error).__name__} {error}".replace("\n", " "))
                traceback.print_exc(file=sys.stderr)
            else:
                print(f"{said}: equal")
    print("end: equal")


if __name__ == "__main__":
    main()
