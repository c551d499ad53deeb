"""Self-attention in blocks against the path that holds whole rows: values, masks, documents, caches, splits."""

import pytest
import torch

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.nn import LayerNorm, NormSpec, attention, fused_attention
from mainstem.nn.attention import Attention, AttentionSpec
from mainstem.nn.context import Context
from mainstem.ops import library

pytestmark = pytest.mark.skipif(isinstance(library.load(), str), reason="the compiled kernels are not installed")

DROPPED = noise.Bernoulli(0.4, "attention.weights")
CASES = {
    "plain": AttentionSpec(48, 4),
    "grouped": AttentionSpec(48, 6, kv_heads=2),
    "layer norms": AttentionSpec(48, 4, qk_norm=NormSpec(LayerNorm)),
    "dropped": AttentionSpec(48, 4).having("weights", DROPPED),
    "grouped, dropped": AttentionSpec(48, 4, kv_heads=1).having("weights", DROPPED),
    "beyond the context": AttentionSpec(48, 4, context=32, rotary_base=None).having("weights", DROPPED),
}
cases = pytest.mark.parametrize("spec", CASES.values(), ids=list(CASES))


def built(spec):
    torch.manual_seed(3)
    return noise.bind(torch.nn.ModuleDict({"layer": spec.build()}))["layer"]


def results(layer, x, ctx=None, samples=None, call=None):
    """Return the output and the gradients of the input and of every weight."""
    x = x.detach().requires_grad_()
    with noise.counter(seed=5, step=7, samples=range(len(x)) if samples is None else samples):
        y = layer(x, ctx) if call is None else call(layer, x, ctx)
    return [y.detach(), *torch.autograd.grad(y.sin().sum(), [x, *layer.parameters()])]


@pytest.fixture
def whole_rows(monkeypatch):
    """Return a function that lets self-attention hold whole rows from then on."""

    def whole():
        for module in (attention, fused_attention):
            monkeypatch.setattr(module, "has_kernel", lambda *_: False)

    return whole


@cases
@pytest.mark.parametrize("documents", [False, True])
def test_both_paths_agree(spec, documents, whole_rows):
    # One weight dropped on one side only is a change of a hundredth.
    layer, x = built(spec), torch.randn(3, 70, 48)
    ctx = Context(documents=(torch.arange(70) // 30).expand(3, 70) if documents else None)
    found = results(layer, x, ctx)
    whole_rows()
    for value, want in zip(found, results(layer, x, ctx), strict=True):
        torch.testing.assert_close(value, want, rtol=1e-4, atol=1e-5)


def test_the_paths_are_two(whole_rows):
    layer, x = built(CASES["dropped"]), torch.randn(3, 70, 48)
    found = results(layer, x)[0]
    whole_rows()
    assert not results(layer, x)[0].equal(found)


def test_masks_are_those_of_each_sample_in_any_split():
    layer, x = built(CASES["grouped, dropped"]), torch.randn(5, 70, 48)
    whole = results(layer, x)[:2]
    for part in (slice(0, 2), slice(2, 5)):
        split = results(layer, x[part], samples=range(part.start, part.stop))[:2]
        for want, found in zip(whole, split, strict=True):
            torch.testing.assert_close(found, want[part], rtol=1e-5, atol=1e-6)


@cases
def test_recomputed_in_backward_the_masks_are_the_same(spec):
    layer, x = built(spec), torch.randn(3, 70, 48)
    again = results(layer, x, call=lambda layer, x, ctx: noise.checkpoint(layer, x, ctx))
    for want, found in zip(results(layer, x), again, strict=True):
        assert found.equal(want)


def test_what_runs_where():
    query = torch.zeros(1, 2, 5, 8)
    ours, new = attention._by_our_op, query[:, :, :1]
    assert ours(query, 5, True) and ours(query, 9, True)
    assert ours(new, 1, False) and ours(new, 9, False) and ours(new.bfloat16(), 9, True)
    assert not ours(new, 9, True)  # a step of generation
    assert not ours(query.double(), 5, False) and not ours(query.to("meta"), 5, False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_new_positions_with_a_cache_are_those_of_the_whole(dtype):
    class Kept:
        held = None

        def extend(self, layer, key, value):
            if self.held is not None:
                key, value = (torch.cat(pair, dim=2) for pair in zip(self.held, (key, value), strict=True))
            self.held = key, value
            return key, value

    layer, x = built(AttentionSpec(48, 6, kv_heads=2)).to(dtype), torch.randn(2, 20, 48, dtype=dtype)
    whole, cache, parts = layer(x), Kept(), []
    for begin, end in ((0, 7), (7, 8), (8, 20)):
        parts.append(layer(x[:, begin:end], Context(positions=torch.arange(begin, end), cache=cache)))
    tolerance = 4e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=tolerance, atol=tolerance)
    with pytest.raises(BadInput, match="do not go together"):
        layer(x[:, :2], Context(torch.arange(20, 22), torch.zeros(2, 2, dtype=torch.int64), cache))


def test_a_compiled_layer_gives_the_same_values():
    layer, x = built(CASES["dropped"]), torch.randn(3, 33, 48)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for found, want in zip(results(compiled, x), results(layer, x), strict=True):
        torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-6)


def test_the_input_gives_the_shape():
    assert Attention(8, 2)(torch.randn(0, 3, 8)).shape == (0, 3, 8)


@pytest.mark.parametrize("heads", [None, 2])
def test_norm_and_rotary_positions_in_one_pass_are_the_two_apart(heads):
    layer, x = built(AttentionSpec(48, 4, kv_heads=heads)), torch.randn(3, 21, 48)
    found, calls = results(layer, x), []
    for part in (layer.query_norm, layer.rotary):
        part.register_forward_hook(lambda module, *_: calls.append(type(module).__name__))
    for value, want in zip(found, results(layer, x), strict=True):
        torch.testing.assert_close(value, want, rtol=1e-4, atol=1e-5)
    # Hooks are called: the norm of queries by its own hook, rotary positions for queries and keys.
    assert calls == ["RMSNorm", "Rotary", "Rotary"]
