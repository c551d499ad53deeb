"""Gradients of attention: finite differences, transforms, recomputation, what is kept, compiled graphs."""

import pytest
import torch
from arrays import draw, mask, needs_kernels
from attended import SITE, arrays, documents_of, dtypes, near, rates, results
from compiled import graphs

from mainstem import ops
from mainstem.ops.attention import cpu, reference
from mainstem.ops.attention.reference import Settings


def test_the_gradients_are_those_of_finite_differences():
    query, key, value, upstream = (a.double().requires_grad_() for a in arrays((2, 2, 1, 3, 4, 2)))
    documents = None
    for rate in (0.0, 0.4):
        settings = {"mask": mask(rate or None, draw(2), SITE)}

        def attend(query, key, value, settings=settings):
            return ops.attention(query, key, value, documents=documents, **settings)

        assert torch.autograd.gradcheck(attend, (query, key, value))
        assert torch.autograd.gradgradcheck(attend, (query, key, value))
        plain = Settings(None, mask(rate or None, draw(2), SITE), 4 if rate else 0, True, 2**-0.5)
        expected = torch.autograd.grad(attend(query, key, value), (query, key, value), upstream)
        for found, want in zip(reference.backward(upstream, query, key, value, plain), expected, strict=True):
            torch.testing.assert_close(found, want)


@needs_kernels
@rates
def test_a_gradient_of_a_gradient_is_that_of_the_reference(rate):
    given = arrays((2, 4, 2, 9, 11, 6))[:3]
    settings = {"mask": mask(rate or None, draw(2), SITE)}
    seconds = []
    for impl in ("cpu", "reference"):
        inputs = [array.detach().requires_grad_() for array in given]
        out = ops.attention(*inputs, impl=impl, **settings)
        firsts = torch.autograd.grad((out**3).sum(), inputs, create_graph=True)
        seconds.append(torch.autograd.grad(sum((first**2).sum() for first in firsts), inputs))
    near(*seconds, torch.float32)


@needs_kernels
@rates
def test_torch_func_differentiates(rate):
    given = arrays((2, 4, 2, 20, 20, 8))[:3]
    settings = {"mask": mask(rate or None, draw(2), SITE)}

    def loss(*inputs, impl="cpu"):
        return ops.attention(*inputs, impl=impl, **settings).sin().sum()

    found = torch.func.grad(loss, argnums=(0, 1, 2))(*given)
    near(found, torch.func.grad(lambda *a: loss(*a, impl="reference"), argnums=(0, 1, 2))(*given), torch.float32)
    inputs = [array.requires_grad_() for array in given]
    for want, one in zip(torch.autograd.grad(loss(*inputs), inputs), found, strict=True):
        assert one.equal(want)


@needs_kernels
@rates
def test_recomputed_the_values_are_the_same(rate):
    given = [array.requires_grad_() for array in arrays((2, 4, 2, 70, 70, 8))[:3]]
    settings = {"mask": mask(rate or None, draw(2), SITE)}

    def branch(*inputs):
        return ops.attention(*inputs, impl="cpu", **settings).sin()

    out = branch(*given)
    again = torch.utils.checkpoint.checkpoint(branch, *given, use_reentrant=False)
    assert again.equal(out)
    for found, want in zip(torch.autograd.grad(again.sum(), given), torch.autograd.grad(out.sum(), given), strict=True):
        assert found.equal(want)


@needs_kernels
def test_backward_keeps_the_arrays_and_one_number_for_each_row():
    saved = []
    given = [array.requires_grad_() for array in arrays((2, 4, 2, 200, 200, 8))[:3]]
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.attention(*given, ops.Mask(ops.threshold(0.2), draw(2), SITE), impl="cpu")
    whole = 2 * 4 * 200
    assert sorted(saved) == sorted([1, 3, 2, whole, whole * 4, whole * 4, whole * 8, whole * 8])


@needs_kernels
def test_memory_is_linear_in_the_positions():
    import resource

    positions = 16384  # a row of weights for each position would be 1 GiB
    given = arrays((1, 1, 1, positions, positions, 4))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results(*given, 0.1, impl="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@rates
@pytest.mark.parametrize("impl", ["auto", "reference"])
def test_a_compiled_graph_gives_the_same_values(impl, rate):
    documents = documents_of(2, 33)
    settings = {"mask": mask(rate or None, draw(2), SITE)}

    def loss(query, key, value):
        return ops.attention(query * 2, key, value, documents=documents, impl=impl, **settings).sin().sum()

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    inputs = [array.requires_grad_() for array in arrays((2, 4, 2, 33, 33, 8))[:3]]
    found, expected = compiled(*inputs), loss(*inputs)
    torch.testing.assert_close(found, expected)
    pairs = zip(torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@needs_kernels
def test_a_compiled_graph_calls_the_kernels_in_both_directions():
    inputs = [array.requires_grad_() for array in arrays((2, 4, 2, 33, 33, 8))[:3]]
    forward, backward = graphs(ops.attention, *inputs)
    assert "mainstem.attention.default" in forward
    assert "mainstem.attention_backward.default" in backward and "mainstem.attention.default" not in backward


# torch 2.15 looks for the gradients of the copies that it makes, and warns of that itself.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@needs_kernels
@dtypes
@rates
def test_the_operators_keep_torchs_contract(rate, dtype):
    query, key, value, upstream = arrays((2, 4, 2, 12, 20, 8), dtype)
    settings = Settings(None, mask(rate or None, draw(2), SITE), 20 if rate else 0, True, 0.2).flat()
    inputs = [array.requires_grad_() for array in (query, key, value)]
    torch.library.opcheck(torch.ops.mainstem.attention.default, (*inputs, *settings))
    out, lse = cpu.run(query.detach(), key.detach(), value.detach(), *settings)
    torch.library.opcheck(
        torch.ops.mainstem.attention_backward.default,
        (upstream, query.detach(), key.detach(), value.detach(), out, lse, *settings),
    )
