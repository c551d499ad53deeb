"""A part of a sublayer that is not what was built is called; where all are, one node gives the same values."""

import pytest
import torch
from arrays import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations, prune

from mainstem import noise, ops
from mainstem.nn import Attention, AttentionSpec, FeedForward, FeedForwardSpec, Linear
from mainstem.nn.built import absent, as_built, plain_linear

SUBLAYERS = {
    "attention": AttentionSpec(48, 4, kv_heads=2).having("weights", noise.Bernoulli(0.3, "attention.weights")),
    "bare attention": AttentionSpec(48, 4, rotary_base=None, qk_norm=None),
    "relu2": FeedForwardSpec(48, 96, "relu2").having("hidden", noise.Bernoulli(0.3, "feedforward.hidden")),
    "swiglu": FeedForwardSpec(48, 96, "swiglu").having("hidden", noise.Bernoulli(0.3, "feedforward.hidden")),
}
each = pytest.mark.parametrize("name", SUBLAYERS)
pytestmark = needs_kernels


def built(name):
    torch.manual_seed(3)
    return noise.bind(nn.ModuleDict({"layer": SUBLAYERS[name].build()}))["layer"]


def outcome(layer, x):
    x = x.detach().requires_grad_()
    with noise.counter(seed=5, step=7, samples=range(len(x))):
        y = layer(x)
    return [y.detach(), *torch.autograd.grad(y.sin().sum(), [x, *layer.parameters()])]


@pytest.fixture
def nodes(monkeypatch):
    """Return the names of the ops that took a sublayer whole."""
    calls = []
    for name in ("feedforward", "self_attention"):
        original = getattr(ops, name)

        def note(*given, name=name, original=original, **rest):
            calls.append(name)
            return original(*given, **rest)

        monkeypatch.setattr(ops, name, note)
    return calls


@each
def test_a_part_that_is_watched_is_called_and_changes_nothing(name, nodes):
    x = torch.randn(3, 21, 48)
    expected = outcome(built(name), x)
    assert len(nodes) == 1
    parts = [part for part, _ in built(name).named_children()]
    for part in parts:
        layer, seen = built(name), []
        getattr(layer, part).register_forward_hook(lambda *_, seen=seen: seen.append(1))
        nodes.clear()
        found = outcome(layer, x)
        assert not nodes and seen, part
        for value, want in zip(found, expected, strict=True):
            torch.testing.assert_close(value, want, rtol=1e-4, atol=1e-5)


@each
def test_a_weight_that_is_computed_is_computed(name, nodes):
    layer, x = built(name), torch.randn(3, 21, 48)
    parametrizations.weight_norm(layer.output)
    with torch.no_grad():
        layer.output.parametrizations.weight.original0 *= 0
    assert not outcome(layer, x)[0].any() and not nodes


@each
def test_a_part_that_is_replaced_is_used(name, nodes):
    layer, x = built(name), torch.randn(3, 21, 48)
    layer.output = nn.Linear(layer.output.in_features, 48, bias=True)
    with torch.no_grad():
        layer.output.weight.zero_()
        layer.output.bias.fill_(2.0)
    assert outcome(layer, x)[0].eq(2.0).all() and not nodes


@each
def test_a_subclass_that_changes_a_step_takes_it(name, nodes):
    """The node stands for the class itself: a subclass may have another `_attend`, say, under the same forward."""
    x = torch.randn(3, 21, 48)
    expected, kind = outcome(built(name), x)[0], type(built(name))
    steps = [step for step, found in vars(kind).items() if callable(found) and step[0] == "_" != step[1]]
    assert steps
    nodes.clear()
    for step in steps:
        layer = built(name)
        silent = lambda self, *given, step=step: 0 * getattr(kind, step)(self, *given)  # noqa: E731
        layer.__class__ = type("Mine", (kind,), {step: silent})
        assert not torch.allclose(outcome(layer, x)[0], expected, atol=1e-3), step
    assert not nodes


@each
def test_global_hooks_see_every_part(name, nodes):
    layer, seen = built(name), []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
    try:
        outcome(layer, torch.randn(3, 21, 48))
    finally:
        handle.remove()
    assert layer.output in seen and not nodes


def hooked(module):
    module.register_forward_hook(lambda *_: None)


def with_another_forward(module):
    module.forward = module.forward


def compiled_by_itself(module):
    module.compile(backend="eager")


class Mine(Linear):
    """A kind of its own."""


class Sharded(nn.Parameter):
    """As a weight is whose rows lie on several machines."""


CHANGES = {
    "forward hook": hooked,
    "pre-hook": lambda module: module.register_forward_pre_hook(lambda *_: None),
    "backward hook": lambda module: module.register_full_backward_hook(lambda *_: None),
    "backward pre-hook": lambda module: module.register_full_backward_pre_hook(lambda *_: None),
    "forward": with_another_forward,
    "compiled": compiled_by_itself,
    "subclass": lambda module: setattr(module, "__class__", Mine),
    "pruned": lambda module: prune.l1_unstructured(module, "weight", amount=0.5),
    "parametrized": parametrizations.weight_norm,
    "sharded": lambda module: setattr(module, "weight", Sharded(torch.eye(2))),
    "biased": lambda module: setattr(module, "bias", nn.Parameter(torch.zeros(2))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_layer_that_was_changed_is_not_as_built(change):
    layer = Linear(2, 2)
    assert as_built(layer, Linear, holds=("weight",)) and plain_linear(layer)
    CHANGES[change](layer)
    assert not plain_linear(layer)
    assert as_built(layer, Linear, holds=("weight",)) is (change == "biased")


def test_a_tensor_or_a_buffer_is_no_weight():
    for put in (lambda m, w: setattr(m, "weight", w), lambda m, w: m.register_buffer("weight", w)):
        layer = Linear(2, 2)
        weight = layer.weight.detach()
        del layer.weight
        put(layer, weight)
        assert not plain_linear(layer) and layer(torch.ones(1, 2)).shape == (1, 2)


def test_only_one_of_the_kinds_is_as_built():
    layer = nn.Linear(2, 2, bias=False)
    assert as_built(layer, nn.Linear, Linear) and not as_built(layer, Linear) and not as_built(None, Linear)
    assert plain_linear(layer, rows=2) and not plain_linear(layer, rows=3) and not plain_linear(nn.Linear(2, 2))
    assert absent(None) and absent(nn.Identity()) and not absent(layer)


def test_names_of_layers_are_as_ever():
    assert [name for name, _ in FeedForward(8, 16).named_parameters()] == ["input.weight", "output.weight"]
    assert [name for name, _ in Attention(8, 2).named_parameters()][:2] == ["query.weight", "key.weight"]
