"""Gradients of the norm: finite differences, recomputation, what is kept, compiled graphs."""

import pytest
import torch
from arrays import needs_kernels, normal
from compiled import graphs

from mainstem import ops
from mainstem.ops.rms_norm import reference

gains = pytest.mark.parametrize("gain", [True, False], ids=["gain", "no gain"])


def gain_of(width):
    return torch.linspace(0.3, 1.7, width)


@gains
def test_the_gradients_are_those_of_finite_differences(gain):
    x = normal((2, 3, 5), torch.float64).requires_grad_()
    inputs = (x, gain_of(5).double().requires_grad_()) if gain else (x,)

    def norm(x, gain=None):
        return ops.rms_norm(x, gain, 1e-2)

    assert torch.autograd.gradcheck(norm, inputs)
    assert torch.autograd.gradgradcheck(norm, inputs)
    y = norm(*inputs)
    upstream = normal(y.shape, torch.float64).cos()
    found = reference.backward(upstream, x, inputs[1] if gain else None, 1e-2)
    for expected, value in zip(torch.autograd.grad(y, inputs, upstream), found, strict=False):
        torch.testing.assert_close(value, expected)


@needs_kernels
@gains
def test_a_gradient_of_a_gradient_is_that_of_the_reference(gain):
    x = normal((6, 9)).requires_grad_()
    inputs = (x, gain_of(9).requires_grad_()) if gain else (x,)
    seconds = []
    for impl in ("cpu", "reference"):
        y = ops.rms_norm(x, inputs[1] if gain else None, 1e-2, impl)
        firsts = torch.autograd.grad((y**3).sum(), inputs, create_graph=True)
        seconds.append(torch.autograd.grad(sum((first**2).sum() for first in firsts), inputs))
    for found, expected in zip(*seconds, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@needs_kernels
def test_backward_keeps_the_input_and_one_number_for_each_row():
    saved = []
    x, gain = normal((4, 300)).requires_grad_(), gain_of(300).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.rms_norm(x, gain, 1e-6, "cpu")
    assert sorted(saved) == [4, 300, 1200]


def test_recomputed_under_autocast_the_values_are_the_same():
    x, gain = normal((3, 5, 24)).requires_grad_(), gain_of(24).requires_grad_()
    weight = normal((24, 24)).requires_grad_()

    def branch(x):
        return ops.rms_norm(torch.nn.functional.linear(ops.rms_norm(x, gain, 1e-6), weight), gain, 1e-6)

    gradients = []
    for recompute in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            y = torch.utils.checkpoint.checkpoint(branch, x, use_reentrant=False) if recompute else branch(x)
        assert y.dtype == torch.bfloat16
        gradients.append((y, *torch.autograd.grad(y.float().square().sum(), (x, gain, weight))))
        assert gradients[-1][1].dtype == gradients[-1][2].dtype == torch.float32
    for found, expected in zip(*gradients, strict=True):
        assert found.equal(expected)


@pytest.mark.parametrize("impl", ["auto", "reference"])
@gains
def test_a_compiled_graph_gives_the_same_values(gain, impl):
    def loss(x, gain):
        return ops.rms_norm(x.transpose(1, 2) * 2, gain, 1e-6, impl).sin().sum()

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    x = normal((4, 7, 3, 33)).requires_grad_()
    inputs = (x, gain_of(33).requires_grad_()) if gain else (x,)
    arguments = inputs if gain else (x, None)
    found, expected = compiled(*arguments), loss(*arguments)
    assert found.equal(expected)
    pairs = zip(torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@needs_kernels
def test_a_compiled_graph_calls_the_kernels_in_both_directions():
    x, gain = normal((4, 33)).requires_grad_(), gain_of(33).requires_grad_()
    forward, backward = graphs(lambda x, gain: ops.rms_norm(x, gain, 1e-6), x, gain)
    assert "mainstem.rms_norm.default" in forward
    assert "mainstem.rms_norm_backward.default" in backward and "mainstem.rms_norm.default" not in backward


@needs_kernels
@gains
def test_the_operators_keep_torchs_contract(gain):
    gain = gain_of(12) if gain else None
    for x in (normal((2, 3, 4, 12)), normal((3, 2, 4, 12), torch.bfloat16).transpose(0, 1)):
        inverse = reference.normalise(x, 1e-6)[1][..., 0]
        torch.library.opcheck(torch.ops.mainstem.rms_norm.default, (x, gain, 1e-6))
        torch.library.opcheck(torch.ops.mainstem.rms_norm_backward.default, (x, x, gain, inverse))
