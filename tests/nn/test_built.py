"""Whoever watches a part of a sublayer sees it called; whoever does not, gets the same values in one node."""

import pytest
import torch
from arrays import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations

from mainstem import noise, ops
from mainstem.nn import Attention, AttentionSpec, FeedForward, FeedForwardSpec
from mainstem.nn.built import plain, unwatched

SUBLAYERS = {
    "attention": AttentionSpec(48, 4, kv_heads=2, rate=0.3),
    "bare attention": AttentionSpec(48, 4, rotary_base=None, qk_norm=None),
    "relu2": FeedForwardSpec(48, 96, "relu2", rate=0.3),
    "swiglu": FeedForwardSpec(48, 96, "swiglu", rate=0.3),
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
        # Attention draws its dropout, and does not call it.
        assert not nodes and (seen or (part == "dropout" and name == "attention")), part
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
def test_global_hooks_see_every_part(name, nodes):
    layer, seen = built(name), []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(module))
    try:
        outcome(layer, torch.randn(3, 21, 48))
    finally:
        handle.remove()
    assert layer.output in seen and not nodes


def test_what_is_plain():
    linear = nn.Linear(2, 2, bias=False)
    assert plain(linear) and unwatched(linear, None)
    assert not plain(nn.Linear(2, 2)) and not plain(nn.Identity()) and not plain(None)
    handle = linear.register_full_backward_hook(lambda *_: None)
    assert not plain(linear) and not unwatched(linear)
    handle.remove()
    assert plain(linear)

    class Sharded(nn.Parameter):
        """As a weight is whose rows lie on several machines: a kind of its own."""

    linear.weight = Sharded(torch.eye(2))
    assert not plain(linear)


def test_names_of_layers_are_as_ever():
    assert [name for name, _ in FeedForward(8, 16).named_parameters()] == ["input.weight", "output.weight"]
    assert [name for name, _ in Attention(8, 2).named_parameters()][:2] == ["query.weight", "key.weight"]
