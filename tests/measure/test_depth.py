"""The stream and its gradient by depth, against plain loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mainstem import counter
from mainstem.measure import depth
from mainstem.model import LanguageModel
from mainstem.model.settings import Rates, Settings
from mainstem.nn import Context
from mainstem.stream import Residual, State

FORMS = ["pre_norm", "post_norm", "hyper", "denseformer", "value_residual", "reversible", "parallel"]


def small(residual: Any = "pre_norm", rates: Rates | None = None) -> LanguageModel:
    rates = rates or Rates()
    settings = Settings(vocab=11, layers=2, width=8, heads=2, context=6, residual=residual, rates=rates)
    model = LanguageModel(settings, seed=1)
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)))
    return model


def tokens(rows: int = 4) -> Tensor:
    return torch.randint(11, (rows, 6), generator=torch.Generator().manual_seed(0))


def loss_of(model: nn.Module, x_BT: Tensor, samples: list[int], whole: int = 4) -> Tensor:
    with counter.counter(seed=0, step=1, samples=samples):
        logits_BTV = model(x_BT)
    loss: Tensor = nn.functional.cross_entropy(logits_BTV.flatten(0, 1), x_BT.flatten(), reduction="sum")
    return loss / (whole * 6)


def measured(model: LanguageModel, x_BT: Tensor) -> tuple[depth.Norms, float]:
    with depth.norms(model) as found:
        loss = loss_of(model, x_BT, list(range(len(x_BT))))
        loss.backward()
    return found, float(loss.detach())


def by_hand(model: LanguageModel, x_BT: Tensor) -> tuple[list[float], list[float]]:
    """Run the residuals one by one, each from a state that is cut off the graph before it."""
    with counter.counter(seed=0, step=1, samples=range(len(x_BT))):
        state = model.stream.open(model.embedding(x_BT, Context()))
        states = [state]
        for block in model.blocks:
            for residual in block.children():
                state = residual(state, Context())
                states.append(state)
        stream = [rms(flowing(state.main)) for state in states]
        gradients = []
        residuals = [residual for block in model.blocks for residual in block.children()]
        for start in range(len(states)):
            main = _cut(states[start].main)
            state = State(main, {name: value.detach() for name, value in states[start].side.items()})
            ends = flowing(main)
            for residual in residuals[start:]:
                state = residual(state, Context())
            logits = nn.functional.linear(model.stream.close(state), model.embedding.weight)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), x_BT.flatten(), reduction="sum") / (4 * 6)
            found = torch.autograd.grad(loss, ends, allow_unused=True)
            gradients.append(rms([torch.zeros_like(e) if g is None else g for e, g in zip(ends, found, strict=True)]))
    return stream, gradients


def _cut(tree: Any) -> Any:
    return tree.detach().requires_grad_() if isinstance(tree, Tensor) else tuple(_cut(part) for part in tree)


def flowing(main: Any) -> list[Tensor]:
    """The tensors of the stream itself; DenseFormer keeps its history in a tuple within the tuple."""
    return [main] if isinstance(main, Tensor) else [part for part in main if isinstance(part, Tensor)]


def rms(tensors: list[Tensor]) -> float:
    flat = torch.cat([tensor.detach().double().flatten() for tensor in tensors])
    return float(flat.square().mean().sqrt())


@pytest.mark.parametrize("form", FORMS)
def test_norms_are_those_of_a_plain_loop(form: str) -> None:
    model, x_BT = small(form), tokens()
    stream, gradient = by_hand(model, x_BT)
    found, _ = measured(model, x_BT)
    assert len(found.stream) == len(found.gradient) == (3 if form == "parallel" else 5)
    assert found.stream == pytest.approx(stream, rel=1e-5)
    assert found.gradient == pytest.approx(gradient, rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_watching_changes_no_bit_of_loss_and_gradients(form: str) -> None:
    rates = Rates(attention=0.2, hidden=0.2)
    model, x_BT = small(form, rates), tokens()
    reference = loss_of(model, x_BT, [0, 1, 2, 3])
    reference.backward()
    before = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    _, loss = measured(model, x_BT)
    assert loss == float(reference.detach())
    # A reversible stream stores its activations while it is watched, and is spared the rounding of computing them back;
    # in a history the gradients of one tensor are added in another order.
    tolerance = {"reversible": 1e-5, "denseformer": 1e-6}.get(form, 0.0)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, before.get(name), rtol=tolerance, atol=tolerance)


def test_a_batch_in_parts_gives_what_the_whole_batch_gives() -> None:
    model, x_BT = small(rates=Rates(attention=0.2, hidden=0.2)), tokens()
    whole, _ = measured(model, x_BT)
    model.zero_grad()
    with depth.norms(model) as parts:
        for first in (0, 1, 3):
            last = {0: 1, 1: 3, 3: 4}[first]
            loss_of(model, x_BT[first:last], list(range(first, last))).backward()
    assert parts.stream == pytest.approx(whole.stream, rel=1e-6)
    assert parts.gradient == pytest.approx(whole.gradient, rel=1e-5)


@pytest.mark.parametrize("form", ["pre_norm", "hyper", "denseformer"])
def test_activation_checkpointing_is_not_counted_twice(form: str) -> None:
    model, x_BT = small(form, Rates(attention=0.2)), tokens()
    plain, _ = measured(model, x_BT)
    model.zero_grad()
    calls = []
    watch = model.blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    model.set_checkpoint(True)
    again, _ = measured(model, x_BT)
    watch.remove()
    assert len(calls) == 2, "the block was not computed again, so nothing is tested here"
    assert again.stream == plain.stream
    assert again.gradient == plain.gradient


def test_a_vanishing_gradient_is_not_rounded_to_zero() -> None:
    model = nn.Sequential(Residual([nn.Linear(2, 2)]))
    with depth.norms(model) as found:
        (model(torch.ones(1, 1, 2)).sum() * 1e-30).backward()
    assert found.gradient[1] == pytest.approx(1e-30)


def test_evaluation_has_a_stream_and_no_gradient() -> None:
    model = small()
    with torch.no_grad(), depth.norms(model) as found:
        model(tokens())
    assert len(found.stream) == 5
    assert found.gradient == []


def test_what_no_gradient_reaches_is_not_a_number() -> None:
    model = small()
    model.embedding.requires_grad_(False)
    found, _ = measured(model, tokens())
    assert math.isnan(found.gradient[0])
    assert all(value > 0 for value in found.gradient[1:])


@pytest.mark.parametrize("keyword", [False, True])
def test_a_residual_in_a_foreign_model_is_measured(keyword: bool) -> None:
    class Foreign(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = Residual([nn.Identity()])

        def forward(self, x_BTD: Tensor) -> Tensor:
            y_BTD: Tensor = self.part(state=x_BTD) if keyword else self.part(x_BTD)
            return y_BTD

    x_BTD = torch.full((1, 2, 3), 2.0, requires_grad=True)
    model = Foreign()
    with depth.norms(model) as found:
        model(x_BTD).sum().backward()
    assert found.stream == pytest.approx([2.0, 4.0])
    assert found.gradient == pytest.approx([2.0, 1.0])


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_hooks_are_removed_also_after_an_exception() -> None:
    model, x_BT = small(), tokens()
    with depth.norms(model):
        assert hooks(model) == 2 * 4 + 2
    assert hooks(model) == 0
    found: list[Tensor] = []

    def fail() -> None:
        with depth.norms(model):
            found.append(loss_of(model, x_BT, [0, 1, 2, 3]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert hooks(model) == 0
    with depth.norms(model) as other:
        found[0].backward()
    assert other.gradient == []


def test_a_forward_that_fails_leaves_no_count_behind() -> None:
    model, x_BT = small(), tokens()
    with depth.norms(model) as found:
        with pytest.raises(IndexError):
            model(x_BT + 11)
        model.blocks[0](State(torch.ones(1, 1, 8), {}))
    assert found.stream == []


def test_a_compiled_model_yields_nothing() -> None:
    model, x_BT = small(), tokens()
    compiled = torch.compile(model, backend="eager")
    with depth.norms(compiled) as found:
        assert hooks(compiled) == 0, "a hook would have the model compiled again"
        loss_of(compiled, x_BT, [0, 1, 2, 3]).backward()
    assert (found.stream, found.gradient) == ([], [])
    function = torch.compile(lambda x: model(x), backend="eager")
    with depth.norms(model) as found:
        function(x_BT).sum().backward()
    assert (found.stream, found.gradient) == ([], [])


def test_a_model_without_residuals_yields_nothing() -> None:
    model = nn.Linear(2, 2)
    with depth.norms(model) as found:
        model(torch.ones(1, 2)).sum().backward()
    assert (found.stream, found.gradient) == ([], [])
