"""Normalisation: kernel against reference, layouts, threads, instruction sets, refusals."""

import pytest
import torch
from arrays import bits, needs_kernels, normal

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.rms_norm import cpu, reference

SHAPES = [(1,), (7,), (1, 1), (5, 1), (3, 16), (4, 13), (2, 3, 31), (131, 17), (2, 9, 64), (3, 127), (2, 2, 3, 40),
          (2, 3, 2, 2, 5), (700, 33), (0, 4), (3, 0, 4)]  # fmt: skip
TOLERANCE = {torch.float32: (1e-5, 2e-6), torch.bfloat16: (2**-7, 2e-6)}
"""Relative and absolute. In bfloat16 the same number may be rounded down by one and up by the other."""
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=["float32", "bfloat16"])
gains = pytest.mark.parametrize("gain", [True, False], ids=["gain", "no gain"])


def gain_of(width):
    return torch.linspace(0.3, 1.7, width)


def results(x, gain, upstream, impl):
    """Return y and the gradients of x and gain."""
    x = x.detach().requires_grad_()
    inputs = [x] if gain is None else [x, gain.detach().requires_grad_()]
    y = ops.rms_norm(x, inputs[1] if len(inputs) > 1 else None, 1e-6, impl)
    return [y.detach(), *torch.autograd.grad(y, inputs, upstream)]


def strided(shape, dtype):
    """Yield arrays of `shape` as others leave them: transposed, sliced, expanded."""
    one, two, three, width = shape
    yield normal((two, one, three, width), dtype).transpose(0, 1)
    yield normal((one, three, two, width), dtype).transpose(1, 2)
    yield normal((one, two, three, 3 * width), dtype)[..., width : 2 * width]
    yield normal((one, two, width, three), dtype).transpose(2, 3)
    yield normal((one, 1, three, width), dtype).expand(shape)
    yield normal((one, two, three, 1), dtype).expand(shape)


@needs_kernels
@dtypes
@gains
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_and_reference_agree(shape, gain, dtype):
    x, upstream = normal(shape, dtype), normal(shape, dtype).cos()
    gain = gain_of(shape[-1]) if gain else None
    found = results(x, gain, upstream, "cpu")
    # The gradient of a small row is a difference of large numbers.
    relative, absolute = TOLERANCE[dtype]
    absolute *= max([1.0, *reference.normalise(x, 1e-6)[1].flatten().tolist()])
    exact = results(x.double(), None if gain is None else gain.double(), upstream.double(), "reference")
    for others in (results(x, gain, upstream, "reference"), exact):
        for expected, value in zip(others, found, strict=True):
            assert value.shape == expected.shape
            torch.testing.assert_close(value.double(), expected.double(), rtol=relative, atol=absolute)
    # The gain's gradient is float32 whatever x is.
    assert [value.dtype for value in found] == [dtype, dtype, *([] if gain is None else [torch.float32])]


@both
@dtypes
def test_known_answer(impl, dtype):
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=dtype)
    y = ops.rms_norm(x, torch.tensor([1.0, 2.0]), 1.0, impl)
    assert y.dtype == dtype
    torch.testing.assert_close(y, (x / 13.5**0.5 * torch.tensor([1.0, 2.0])).to(dtype))


@both
def test_the_gain_is_not_rounded_to_the_dtype_of_x(impl):
    x, gain = normal((4, 64), torch.bfloat16), torch.full((64,), 1 + 2**-9)
    y = ops.rms_norm(x, gain, 1e-6, impl)
    assert not y.equal(ops.rms_norm(x, None, 1e-6, impl))
    assert y.equal(ops.rms_norm(x.float(), gain, 1e-6, impl).bfloat16())


@both
def test_a_gain_of_another_dtype_has_a_gradient_of_its_own(impl):
    x, gain = normal((5, 8)), gain_of(8).bfloat16().requires_grad_()
    ops.rms_norm(x, gain, 1e-6, impl).sum().backward()
    assert gain.grad.dtype == torch.bfloat16
    torch.testing.assert_close(gain.grad.float(), reference.rms_norm(x, None, 1e-6).sum(0), rtol=2**-7, atol=1e-3)


@needs_kernels
@dtypes
@gains
def test_every_layout_gives_the_bits_of_the_contiguous_one(gain, dtype):
    shape = 3, 4, 5, 24
    gain = gain_of(24) if gain else None
    for upstream in strided(shape, dtype):
        for x in strided(shape, dtype):
            expected = results(x.contiguous(), gain, upstream.contiguous(), "cpu")
            for want, found in zip(expected, results(x, gain, upstream, "cpu"), strict=True):
                assert bits(found).equal(bits(want)), (x.stride(), upstream.stride())


@needs_kernels
def test_heads_are_read_and_written_where_they_lie():
    x = normal((2, 5, 3, 8)).transpose(1, 2).requires_grad_()
    y = ops.rms_norm(x, None, 1e-6, "cpu")
    (dx,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert y.stride() == dx.stride() == x.stride()


@needs_kernels
@dtypes
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
def test_every_instruction_set_gives_the_same_bits(name, dtype):
    for shape in [*SHAPES, (40, 384)]:
        x, dy, gain = normal(shape, dtype), normal(shape, dtype).cos(), gain_of(shape[-1])
        x.view(-1)[5::97] = float("inf")
        x.view(-1)[7::89] = float("nan")
        for scale in (gain, None):
            found, baseline = [], []
            for values, variant in ((found, name), (baseline, "baseline")):
                number = library.load().variants[variant]
                values.extend(cpu.run(x, scale, 1e-6, variant=number))
                values.extend(cpu.run_backward(dy, x, scale, values[1], variant=number))
            # Which of NaN's many bits come out is the processor's choice.
            for one, other in zip(found, baseline, strict=True):
                assert bits(one.nan_to_num(nan=-3.0)).equal(bits(other.nan_to_num(nan=-3.0))), shape


@needs_kernels
def test_any_number_of_threads_gives_the_same_bits():
    for shape in ((3, 700, 129), (4, 20000)):
        x, upstream, gain = normal(shape), normal(shape).cos(), gain_of(shape[-1])
        torch.set_num_threads(1)
        expected = results(x, gain, upstream, "cpu")
        for threads in (2, 3, 4):
            torch.set_num_threads(threads)
            for want, found in zip(expected, results(x, gain, upstream, "cpu"), strict=True):
                assert bits(found).equal(bits(want)), threads


@both
@dtypes
def test_nan_and_infinity_stay_in_their_row(impl, dtype):
    x = normal((4, 37), dtype)
    x[0, 3], x[1, 36], x[2, 0] = float("nan"), float("inf"), float("-inf")
    y, dx, dgain = results(x, gain_of(37), torch.ones(4, 37, dtype=dtype), impl)
    assert y[0].isnan().all() and dx[:3].isnan().any(1).all() and dgain.isnan().any()
    for row, column in ((1, 36), (2, 0)):
        assert y[row].isnan().nonzero().flatten().tolist() == [column]
        assert y[row].nan_to_num(nan=0.0).abs().max() == 0
    assert y[3].isfinite().all() and dx[3].isfinite().all()


@both
def test_no_nan_is_rounded_to_a_number(impl):
    every_bit = torch.tensor([0x7FFFFFFF, -1], dtype=torch.int32).view(torch.float32)
    assert ops.rms_norm(torch.ones(1, 2, dtype=torch.bfloat16), every_bit, 1e-6, impl).isnan().all()


@both
def test_a_row_of_zeros_stays_finite_by_eps(impl):
    y, dx, dgain = results(torch.zeros(2, 19), gain_of(19), torch.ones(2, 19), impl)
    assert not y.any() and not dgain.any()
    torch.testing.assert_close(dx, gain_of(19).expand(2, 19) * 1e3)


@both
def test_no_rows_and_no_columns(impl):
    y, dx, dgain = results(torch.empty(0, 3, 4), gain_of(4), torch.empty(0, 3, 4), impl)
    assert y.shape == dx.shape == (0, 3, 4) and dgain.equal(torch.zeros(4))
    assert ops.rms_norm(torch.empty(3, 0), torch.empty(0), 1e-6, impl).shape == (3, 0)


@pytest.mark.parametrize(
    ("x", "gain", "eps", "message"),
    [
        (torch.ones(2, 3), torch.ones(4), 1e-6, r"shape \[4\].*shape \[2, 3\].*shape \[3\]"),
        (torch.ones(2, 3), torch.ones(2, 3), 1e-6, r"shape \[2, 3\]"),
        (torch.ones(2, 3), torch.ones(3, dtype=torch.int64), 1e-6, r"torch\.int64"),
        (torch.ones(2, 3, dtype=torch.int64), None, 1e-6, r"floating point, not torch\.int64"),
        (torch.ones(()), None, 1e-6, "last axis"),
        (torch.ones(2, 3), None, -1e-6, "eps -1e-06"),
        (torch.ones(2, 3), None, float("nan"), "eps nan"),
        (torch.ones(2, 3), None, float("inf"), "eps inf"),
    ],
)
def test_what_does_not_fit_is_refused(x, gain, eps, message):
    with pytest.raises(BadInput, match=message):
        ops.rms_norm(x, gain, eps)


def test_other_dtypes_run_on_the_reference():
    x = normal((3, 8))
    assert ops.rms_norm(x.half(), None, 1e-6).dtype == torch.float16
    assert ops.rms_norm(x.double(), gain_of(8), 1e-6).dtype == torch.float64
    with pytest.raises(BadInput, match=r"not torch\.float64"):
        ops.rms_norm(x.double(), None, 1e-6, "cpu")
