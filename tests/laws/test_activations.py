"""What holds for every activation of the catalogue, and for one that is a class and a line of it alone."""

import sys
import types

import pytest
import torch
from arrays import needs_kernels
from torch import Tensor

from mainstem import catalogue, config, noise, ops
from mainstem.config.presets import hidden_width
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings
from mainstem.nn import FeedForward, FeedForwardSpec
from mainstem.ops.activation.kind import Activation, named, of_code


class ReGLU(Activation):
    """max(gate, 0) * x: it has no kernel."""

    name, gated = "reglu", True

    @staticmethod
    def formula(x: Tensor, gate: Tensor | None) -> Tensor:
        return torch.relu(gate) * x


@pytest.fixture(params=[*catalogue.names("feedforward"), "reglu"])
def kind(request, monkeypatch):
    """Return each name, and that of one whose class stands in a module of its own."""
    module = types.ModuleType("mainstem.reglu")
    module.ReGLU = ReGLU
    monkeypatch.setitem(sys.modules, "mainstem.reglu", module)
    monkeypatch.setattr(ReGLU, "__module__", "mainstem.reglu")
    line = catalogue.Spec("feedforward", "reglu", "reglu:ReGLU", "W2 (relu(Wg x) * W1 x)", ("gated",))
    monkeypatch.setattr(catalogue, "SPECS", (*catalogue.SPECS, line))
    return request.param


def given(kind, shape, dtype=torch.float32):
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    return x, torch.randn(shape, dtype=dtype, requires_grad=True) if named(kind).gated else None


def test_its_line_of_the_catalogue_says_what_it_is(kind):
    found = named(kind)
    assert found.name == kind and named(found) is found
    assert found.gated == ("gated" in catalogue.find("feedforward", kind).traits)
    assert found.code is None or of_code(found.code) is found


def test_slopes_and_gradients_are_those_of_the_formula(kind):
    phi, (x, gate) = named(kind), given(kind, (5, 7), torch.float64)
    inputs = [x] if gate is None else [x, gate]
    g = torch.randn_like(x)
    exact = torch.autograd.grad(phi.formula(x, gate), inputs, g, create_graph=True)
    if phi.code is not None:
        for found, right in zip(phi.slopes(g, x, gate), exact, strict=False):
            torch.testing.assert_close(found, right)
    assert torch.autograd.gradcheck(lambda *t: ops.activation(t[0], kind=kind, gate=(*t[1:], None)[0]), inputs)
    assert torch.autograd.gradgradcheck(lambda *t: ops.activation(t[0], kind=kind, gate=(*t[1:], None)[0]), inputs)


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_layer_is_its_formula_whichever_way_it_runs(kind, rate):
    """Large enough for the calls that join its parts, against float64 with the same masks."""
    torch.manual_seed(0)
    layer = FeedForward(FeedForwardSpec(16, 64, kind).having("hidden", noise.Bernoulli(rate, "feedforward.hidden")))
    x = torch.randn(8, 96, 16)
    found = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        layer.to(dtype).zero_grad()
        at = x.detach().clone().to(dtype).requires_grad_()
        y = layer(at)
        y.sin().sum().backward()
        found.append([y, at.grad, *(p.grad for p in layer.parameters())])
    for value, right in zip(*found, strict=True):
        torch.testing.assert_close(value.double(), right.double(), rtol=1e-4, atol=2e-5)
    h = layer.double().input(x.double())
    phi = layer.phi.formula(h, None if layer.gate is None else layer.gate(x.double()))
    if not rate:
        torch.testing.assert_close(layer(x.double()), layer.output(phi))


def test_a_gate_is_a_third_matrix_and_the_hidden_width_allows_for_it(kind):
    gated = named(kind).gated
    assert hidden_width(96, kind) == (256 if gated else 384)
    settings = Settings(vocab=11, layers=1, width=96, heads=2, context=8, feedforward=kind)
    model = LanguageModel(settings)
    layer = model.get_submodule("blocks.0.feedforward.branch.feedforward")
    assert layer.spec.hidden == hidden_width(96, kind)
    assert (layer.gate is not None) == ("feedforward.gate" in layer.roles().values()) == gated


def test_a_model_trains_and_compiles_with_it(kind):
    torch._dynamo.reset()
    model = LanguageModel(Settings(vocab=11, layers=1, width=16, heads=2, context=8, feedforward=kind))
    x = torch.arange(16).reshape(2, 8) % 11
    y = torch.compile(model, backend="aot_eager", fullgraph=True)(x)
    torch.testing.assert_close(y, model(x), rtol=1e-5, atol=1e-5)
    y.logsumexp(-1).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@needs_kernels
def test_a_kernel_that_is_not_there_is_refused(kind):
    x, gate = given(kind, (2, 3))
    if named(kind).code is None:
        with pytest.raises(BadInput, match="impl 'cpu': 'reglu' has no kernel, use auto or reference"):
            ops.activation(x, kind=kind, gate=gate, impl="cpu")
    else:
        torch.testing.assert_close(
            ops.activation(x, kind=kind, gate=gate, impl="cpu"),
            ops.activation(x, kind=kind, gate=gate, impl="reference"),
        )


def test_a_gate_too_many_or_too_few_is_refused(kind):
    x, gate = given(kind, (2, 3))
    said = "needs a gate: give gate=" if gate is not None else "takes no gate: leave out gate="
    with pytest.raises(BadInput, match=f"kind '{kind}' {said}"):
        ops.activation(x, kind=kind, gate=None if gate is not None else x)


def test_a_configuration_takes_the_names_of_the_catalogue():
    for name in catalogue.names("feedforward"):
        assert config.load({"model.feedforward": name}).model.feedforward == name
    with pytest.raises(BadInput, match="did you mean swiglu"):
        FeedForward(FeedForwardSpec(8, 16, "swigl"))
