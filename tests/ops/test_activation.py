"""Activations with dropout: kernel against reference and float64, masks, gradients, threads, compilation."""

import math

import pytest
import torch
from arrays import LAYOUTS, bits, draw, mask, needs_kernels, normal

from mainstem import catalogue, ops
from mainstem.counter import Draw
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.activation import cpu
from mainstem.ops.activation.kind import named

KINDS = catalogue.names("feedforward")
SHAPES = [shape for shape, axis, context in LAYOUTS if axis == 0 and context is None]
SITE = 0x1780AABA
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2**-7}
kinds = pytest.mark.parametrize("kind", KINDS)
rates = pytest.mark.parametrize("rate", [None, 0.0, 0.3, 1.0])
dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=["float32", "bfloat16"])
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])


def gate_of(x, kind):
    return (x.roll(1) * 1.5 if x.numel() else x.clone()) if kind == "swiglu" else None


def results(x, kind, rate, impl, upstream, gate=None, samples=None):
    """Return y and the gradients of x and gate."""
    x = x.detach().requires_grad_()
    gate = None if gate is None else gate.detach().requires_grad_()
    y = ops.activation(x, mask(rate, samples or draw(x.shape[0]), SITE), kind=kind, gate=gate, impl=impl)
    inputs = [x] if gate is None else [x, gate]
    return [y.detach(), *torch.autograd.grad(y, inputs, upstream)]


@needs_kernels
@dtypes
@rates
@kinds
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_and_reference_agree(shape, kind, rate, dtype):
    x, upstream = normal(shape, dtype), normal(shape, dtype).cos()
    gate = gate_of(x, kind)
    found = results(x, kind, rate, "cpu", upstream, gate)
    wide = results(x.double(), kind, rate, "reference", upstream.double(), None if gate is None else gate.double())
    for others in (results(x, kind, rate, "reference", upstream, gate), wide):
        for expected, value in zip(others, found, strict=True):
            assert value.dtype == dtype and value.shape == expected.shape
            torch.testing.assert_close(value.double(), expected.double(), rtol=TOLERANCE[dtype], atol=2e-6)


@both
@kinds
@pytest.mark.parametrize("shape", SHAPES)
def test_the_mask_is_that_of_dropout(shape, kind, impl):
    ones = torch.ones(shape)
    numbers = Draw(torch.tensor([-5, (1 << 28) - 1, 15]), torch.arange(shape[0]) + 0xFFFFFFF0)
    gate = torch.ones(shape) if kind == "swiglu" else None
    y, *gradients = results(ones, kind, 0.3, impl, ones, gate, numbers)
    expected = ops.dropout(ones, ops.Mask(ops.threshold(0.3), numbers, SITE), impl="reference") != 0
    for value in (y, *gradients):
        assert (value != 0).equal(expected)


@needs_kernels
def test_gelu_and_silu_are_within_five_units_in_the_last_place():
    x = torch.linspace(-12.5, 12.5, 400_001)
    for scale, kind, exact in (
        (1, "gelu", lambda x: 0.5 * torch.erfc(-x * math.sqrt(0.5)) * x),
        (6, "swiglu", lambda x: x * torch.sigmoid(x)),
    ):
        at = x * scale
        if kind == "gelu":
            found = ops.activation(at, kind="gelu", impl="cpu")
        else:
            found = ops.activation(torch.ones_like(at), kind="swiglu", gate=at, impl="cpu")
        expected = exact(at.double())
        near = expected.float().abs()
        unit = torch.nextafter(near, torch.tensor(math.inf)).double() - near.double()
        assert ((found.double() - expected).abs() / unit).max() < 5


@needs_kernels
def test_slopes_against_float64():
    x = torch.linspace(-12.5, 12.5, 40_001)
    for kind in KINDS:
        gate = x.flip(0) if kind == "swiglu" else None
        _, *found = results(x, kind, None, "cpu", torch.ones_like(x), gate)
        _, *exact = results(
            x.double(), kind, None, "reference", torch.ones_like(x).double(), None if gate is None else gate.double()
        )
        for value, expected in zip(found, exact, strict=True):
            torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-6)


@needs_kernels
@kinds
def test_nan_and_infinity_are_those_of_the_reference(kind):
    x = torch.tensor([[math.nan, math.inf, -math.inf, -0.0, 0.0, 1e30, -1e30, 1e-40, -1e-40, 100.0, -100.0]])
    gates = [None] if kind != "swiglu" else [x.roll(shift, 1) for shift in range(x.shape[1])]
    for gate in gates:
        exact = results(x, kind, None, "reference", torch.ones_like(x), gate)
        if kind == "gelu":  # torch's own is NaN at infinity in float32; in float64 it is not
            exact[0][0, 1] = math.inf
        for found, expected in zip(results(x, kind, None, "cpu", torch.ones_like(x), gate), exact, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-30, equal_nan=True)


@needs_kernels
def test_the_slope_of_a_squared_ramp_is_0_below_0_even_for_infinity():
    x = torch.tensor([-2.0, 0.0, -math.inf])
    for impl in ("cpu", "reference"):
        assert results(x, "relu2", None, impl, torch.full((3,), math.inf))[1].tolist() == [0.0, 0.0, 0.0]


@needs_kernels
@kinds
def test_layouts_give_the_bits_of_the_contiguous_one(kind):
    for x in (normal((3, 13, 5)).transpose(1, 2), normal((3, 5, 26))[..., ::2], normal((3, 1, 13)).expand(3, 5, 13)):
        gate, up = gate_of(x, kind), normal((3, 13, 5)).transpose(1, 2)
        expected = results(
            x.contiguous(), kind, 0.3, "cpu", up.contiguous(), None if gate is None else gate.contiguous()
        )
        for want, found in zip(expected, results(x, kind, 0.3, "cpu", up, gate), strict=True):
            assert bits(found).equal(bits(want))


@needs_kernels
@kinds
@dtypes
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
def test_every_instruction_set_gives_the_same_bits(name, kind, dtype):
    for shape in [*SHAPES, (40, 384)]:
        x, up, one = normal(shape, dtype) * 4, normal(shape, dtype).cos(), draw(shape[0])
        gate, found = gate_of(x, kind), []
        for variant in (name, "baseline"):
            number = library.load().variants[variant]
            for threshold in (None, ops.threshold(0.3)):
                rest = (threshold, one.key, one.samples, named(kind).code, SITE, number)
                found.append([cpu.run(x, gate, *rest), *cpu.run_backward(up, x, gate, *rest)])
        for first, second in zip(found[0] + found[1], found[2] + found[3], strict=True):
            assert bits(first).equal(bits(second)), shape


@needs_kernels
@kinds
def test_any_number_of_threads_gives_the_same_bits(kind):
    x, up = normal((3, 700, 129)), normal((3, 700, 129)).cos()
    torch.set_num_threads(1)
    expected = results(x, kind, 0.3, "cpu", up, gate_of(x, kind))
    for threads in (2, 3, 8):
        torch.set_num_threads(threads)
        for want, found in zip(expected, results(x, kind, 0.3, "cpu", up, gate_of(x, kind)), strict=True):
            assert bits(found).equal(bits(want)), threads


@needs_kernels
@kinds
def test_only_inputs_are_kept(kind):
    saved, x = [], normal((4, 300)).requires_grad_()
    gate, one = gate_of(x.detach(), kind), draw(4)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        ops.activation(x, ops.Mask(ops.threshold(0.3), one, SITE), kind=kind, gate=gate, impl="cpu")
    assert sorted(saved) == [1, 3, 4, *[1200] * (1 if gate is None else 2)]


@both
@kinds
def test_compiled_recomputed_and_functional_gradients_are_the_eager_ones(kind, impl):
    x, one, threshold = normal((4, 37)), draw(4), ops.threshold(0.3)
    gate = gate_of(x, kind)

    def loss(x):
        return ops.activation(x, ops.Mask(threshold, one, SITE), kind=kind, gate=gate, impl=impl).sin().sum()

    def gradient(function):
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(function(leaf), leaf)[0]

    torch._dynamo.reset()
    expected = gradient(loss)
    found = gradient(torch.compile(loss, fullgraph=True, backend="aot_eager"))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    again = gradient(lambda x: torch.utils.checkpoint.checkpoint(loss, x, use_reentrant=False))
    assert again.equal(expected)
    torch.testing.assert_close(torch.func.grad(loss)(x), expected, rtol=2e-6, atol=2e-6)


@kinds
def test_finite_differences(kind):
    x, one = (normal((2, 7), torch.float64) + 0.05).requires_grad_(), draw(2)
    gate = None if kind != "swiglu" else normal((2, 7), torch.float64).cos().requires_grad_()

    def dropped(x, gate=None):
        return ops.activation(x, ops.Mask(ops.threshold(0.3), one, SITE), kind=kind, gate=gate)

    inputs = (x,) if gate is None else (x, gate)
    assert torch.autograd.gradcheck(dropped, inputs)


@needs_kernels
@kinds
def test_a_gradient_of_a_gradient_is_that_of_the_reference(kind):
    x, one = normal((2, 9)).requires_grad_(), draw(2)
    seconds = []
    for impl in ("cpu", "reference"):
        gate = gate_of(x, kind)
        y = ops.activation(x, ops.Mask(ops.threshold(0.3), one, SITE), kind=kind, gate=gate, impl=impl)
        (first,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
        seconds.append(torch.autograd.grad((first**2).sum(), x)[0])
    torch.testing.assert_close(*seconds, rtol=1e-4, atol=1e-4)


@needs_kernels
@kinds
def test_the_operators_keep_torchs_contract(kind):
    x, one = normal((2, 3, 12)), draw(2)
    rest = (ops.threshold(0.3), one.key, one.samples, named(kind).code, SITE)
    gate = gate_of(x, kind)
    torch.library.opcheck(torch.ops.mainstem.activation.default, (x, gate, *rest))
    torch.library.opcheck(torch.ops.mainstem.activation_backward.default, (x, x, gate, *rest))


@pytest.mark.parametrize(
    ("x", "changes", "message"),
    [
        (torch.ones(2, 3), {"kind": "tanh"}, "no feedforward 'tanh': choose one of gelu, relu2, swiglu"),
        (torch.ones(2, 3), {"kind": "swiglu"}, "'swiglu' needs a gate"),
        (torch.ones(2, 3), {"kind": "gelu", "gate": torch.ones(2, 3)}, "'gelu' takes no gate"),
        (torch.ones(2, 3), {"kind": "swiglu", "gate": torch.ones(2, 4)}, r"\[2, 4\].*\[2, 3\]"),
        (torch.ones(2, 3, dtype=torch.int64), {}, r"torch\.int64"),
        (torch.ones(2, 3), {"mask": mask(0.1, draw(3), 1)}, "2 samples"),
        (torch.ones(2, 3), {"mask": ops.Mask(torch.tensor(-1), draw(2), 1), "impl": "cpu"}, "threshold"),
        (torch.ones(2, 3).double(), {"impl": "cpu"}, r"not torch\.float64"),
    ],
)
@needs_kernels
def test_what_does_not_fit_is_refused(x, changes, message):
    with pytest.raises(BadInput, match=message):
        ops.activation(x, **changes)
