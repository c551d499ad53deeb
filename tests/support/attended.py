"""Queries, keys and values for the tests of attention, and its results on them."""

import pytest
import torch
from arrays import draw, mask, needs_kernels

from mainstem import ops

SITE = 0x1780AABA
both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
rates = pytest.mark.parametrize("rate", [0.0, 0.3])


def arrays(shape, dtype=torch.float32, seed=1):
    """Return query, key, value and an upstream gradient."""
    batch, heads, groups, queries, keys, width = shape
    generator = torch.Generator().manual_seed(seed)
    sizes = [(heads, queries), (groups, keys), (groups, keys), (heads, queries)]
    made = [torch.randn(batch, *size, width, generator=generator) for size in sizes]
    return [array.to(dtype) for array in made]


def results(query, key, value, upstream, rate=0.0, **settings):
    """Return the result and the gradients of query, key and value."""
    inputs = [array.detach().requires_grad_() for array in (query, key, value)]
    if rate:
        settings = {"mask": mask(rate, draw(len(query)), SITE), **settings}
    out = ops.attention(*inputs, **settings)
    return [out.detach(), *torch.autograd.grad(out, inputs, upstream)]


def documents_of(batch, positions):
    """Return documents of uneven lengths, one of them in two parts, numbered beyond 32 bits."""
    number = torch.arange(positions) * 7 // 50 % 4
    return (number + torch.arange(batch)[:, None]) * (1 << 32) - (1 << 40)


def near(found, expected, dtype):
    for value, want in zip(found, expected, strict=True):
        assert value.shape == want.shape
        size = want.double().abs().max().item() if want.numel() else 0.0
        # A gradient is a difference of sums; in bfloat16 the result that it is made from is rounded too.
        rtol, atol = (2e-5, 4e-6 * (1 + size)) if dtype == torch.float32 else (2**-7, 2**-7 * (1 + size))
        torch.testing.assert_close(value.double(), want.double(), rtol=rtol, atol=atol)
