"""Arrays of awkward shapes and the draws that go with them, for tests/ops."""

import pytest
import torch

from mainstem import ops
from mainstem.counter import Draw
from mainstem.ops import library

LAYOUTS = [
    ((1,), 0, None),
    ((5,), 0, None),
    ((1, 1), 0, None),
    ((3, 8), 0, None),
    ((2, 37), 0, None),
    ((3, 5, 7), 0, None),
    ((3, 5, 7), 1, None),
    ((3, 5, 7), -2, None),
    ((2, 3, 4, 16), 2, None),
    ((2, 3, 4, 24), 1, None),
    ((2, 3, 4, 13), 1, None),
    ((4, 131, 1), 0, None),
    ((2, 521, 31), 0, None),
    ((2, 9, 4099), 0, None),
    ((1, 8209), 0, None),
    ((0, 4), 0, None),
    ((3, 0, 4), 0, None),
    ((3, 4, 0), 0, None),
    ((2, 3, 5, 7), 0, 7),
    ((2, 3, 5, 7), 0, 19),
    ((2, 2, 16, 16), 0, 16),
    ((2, 2, 15, 13), 0, 15),
    ((2, 2, 1, 9), 0, 64),
    ((2, 3, 0, 0), 0, 8),
]
"""(shape, batch_dim, context)."""

needs_kernels = pytest.mark.skipif(isinstance(library.load(), str), reason="the compiled kernels are not installed")


def draw(num_samples, *, seed=0x0123456789ABCDEF, step=3, view=0, first=5):
    return Draw(torch.tensor([seed, step, view]), torch.arange(first, first + num_samples))


def mask(rate, own, site):
    """Return what a mask of `rate` is drawn from, or None where the rate is None."""
    return None if rate is None else ops.Mask(ops.threshold(rate), own, site)


def normal(shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def bits(x):
    """Return the bits of `x` as integers, so that -0 and +0 differ and NaN equals itself."""
    return x.contiguous().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()])
