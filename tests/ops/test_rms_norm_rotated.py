"""The norm of queries and keys with their rotary positions behind it, in one pass."""

import pytest
import torch
from arrays import bits, needs_kernels, normal

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.rms_norm import cpu, reference

SHAPES = [(1, 2), (5, 6), (3, 7, 16), (2, 3, 5, 32), (2, 4, 9, 64), (1, 2, 3, 46), (2, 1, 4, 130), (2, 0, 3, 8)]
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
gains = pytest.mark.parametrize("gain", [True, False], ids=["gain", "no gain"])
variants = pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))


def angles_of(shape):
    angle = torch.arange(shape[-2])[:, None] * 0.7 + torch.arange(shape[-1] // 2) * 0.3
    return angle.cos(), angle.sin()


def results(x, gain, upstream, impl="auto"):
    x = x.detach().requires_grad_()
    inputs = [x] if gain is None else [x, gain.detach().requires_grad_()]
    own = inputs[1] if len(inputs) > 1 else None
    y = ops.rms_norm(x, own, 1e-3, impl, angles=angles_of(x.shape))
    return [y.detach(), *torch.autograd.grad(y, inputs, upstream)]


@needs_kernels
@dtypes
@gains
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_reference_and_float64_agree(shape, gain, dtype):
    x, upstream = normal(shape, dtype), normal(shape, dtype).cos()
    gain = torch.linspace(0.3, 1.7, shape[-1]) if gain else None
    found = results(x, gain, upstream, "cpu")
    relative, absolute = (1e-5, 1e-4) if dtype == torch.float32 else (2**-7, 1e-2)
    exact = results(x.double(), None if gain is None else gain.double(), upstream.double(), "reference")
    for others in (results(x, gain, upstream, "reference"), exact):
        for want, value in zip(others, found, strict=True):
            assert value.shape == want.shape
            torch.testing.assert_close(value.double(), want.double(), rtol=relative, atol=absolute)


def test_it_is_the_norm_and_then_the_turn():
    x, gain = normal((2, 3, 5, 16)), torch.linspace(0.3, 1.7, 16)
    angles = angles_of(x.shape)
    found = ops.rms_norm(x, gain, 1e-3, angles=angles)
    torch.testing.assert_close(found, reference.rotate(ops.rms_norm(x, gain, 1e-3), *angles), rtol=1e-5, atol=1e-6)
    # Positions count along axis -2: a row alone, with its own angle, gives the same.
    alone = ops.rms_norm(x[:, :, 3:4], gain, 1e-3, angles=tuple(part[3:4] for part in angles))
    torch.testing.assert_close(alone, found[:, :, 3:4])


@needs_kernels
@dtypes
def test_layouts_and_threads_change_no_bit(dtype):
    x, upstream = normal((12, 4, 64, 32), dtype), normal((12, 4, 64, 32), dtype).cos()
    gain = torch.linspace(0.3, 1.7, 32)
    torch.set_num_threads(1)
    expected = results(x, gain, upstream, "cpu")
    for threads in (1, 2, 3, 8):
        torch.set_num_threads(threads)
        for own in (x, x.transpose(1, 2).contiguous().transpose(1, 2), torch.cat([x, x], -1)[..., :32]):
            for want, value in zip(expected, results(own, gain, upstream, "cpu"), strict=True):
                assert bits(value).equal(bits(want)), threads


@variants
@dtypes
@pytest.mark.parametrize("shape", SHAPES)
def test_every_instruction_set_gives_the_same_bits(shape, dtype, name):
    x, dy, gain = normal(shape, dtype), normal(shape, dtype).cos(), torch.linspace(0.3, 1.7, shape[-1])
    found = []
    for variant in (name, "baseline"):
        number = library.load().variants[variant]
        y, inverse = cpu.run(x, gain, 1e-3, *angles_of(shape), variant=number)
        found.append([y, inverse, *cpu.run_backward(dy, x, gain, inverse, *angles_of(shape), variant=number)])
    for one, other in zip(*found, strict=True):
        assert bits(one).equal(bits(other))


@needs_kernels
def test_the_operators_keep_torchs_contract():
    x, gain, angles = normal((2, 3, 5, 16)), torch.linspace(0.3, 1.7, 16), angles_of((5, 16))
    torch.library.opcheck(torch.ops.mainstem.rms_norm.default, (x, gain, 1e-3, *angles))
    inverse = torch.ops.mainstem.rms_norm(x, gain, 1e-3, *angles)[1]
    torch.library.opcheck(torch.ops.mainstem.rms_norm_backward.default, (x, x, gain, inverse, *angles))


@pytest.mark.parametrize(
    ("shape", "angles"),
    [
        ((3, 5), angles_of((3, 6))),
        ((3, 6), angles_of((2, 6))),
        ((6,), angles_of((1, 6))),
        ((2, 2, 2, 3, 6), angles_of((3, 6))),
        ((3, 6), tuple(part.double() for part in angles_of((3, 6)))),
        ((3, 6), tuple(part.requires_grad_() for part in angles_of((3, 6)))),
    ],
)
def test_angles_that_do_not_fit_are_refused(shape, angles):
    with pytest.raises(BadInput, match="angles are"):
        ops.rms_norm(torch.ones(shape), None, 1e-3, angles=angles)
