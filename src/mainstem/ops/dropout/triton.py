"""Dropout by Triton. Needs triton, so only what has chosen it may import this."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..layout import Layout
from ..mask import Mask
from ..mask_bits.triton import half, on, place, words
from . import cpu

BLOCK = 128
"""Groups of eight columns that one program drops."""


@triton.jit
def factor(threshold):
    """Return 65536 / (65536 - threshold), rounded as IEEE 754 wants it; at 65536, where nothing is kept, 65536."""
    kept = tl.maximum(65536 - tl.load(threshold), 1).to(tl.float32)
    return tl.div_rn(tl.full((), 65536.0, tl.float32), kept)


@triton.jit
def narrow(wide, dtype: tl.constexpr):
    """Return float32 `wide` in `dtype`, float32 or bfloat16, to the nearest, ties to even; a NaN is a quiet one."""
    # In integers, since Triton's interpreter cuts bits off where a processor rounds.
    if dtype == tl.bfloat16:
        bits = wide.to(tl.uint32, bitcast=True)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        rounded = tl.where(wide == wide, rounded, 0x7FC0)
        narrowed = rounded.to(tl.uint16).to(tl.bfloat16, bitcast=True)
    else:
        narrowed = wide
    return narrowed


@triton.jit
def _dropout(
    y, x, threshold, key, samples, site,
    total, batch, between, groups, columns, queries, context, stride,
    BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    group, line = at % groups, at // groups
    index, row = place(line, batch, between, queries, context)
    sample = tl.load(samples + index, mask=at < total, other=0)
    w0, w1, w2, w3 = words(row * stride + group, sample, key, site)
    column = group[:, None] * 8 + tl.arange(0, 8)[None, :]
    draws = half(w0[:, None], w1[:, None], w2[:, None], w3[:, None], column)
    inside = (at < total)[:, None] & (column < columns)
    place_of = line[:, None] * columns + column
    wide = tl.load(x + place_of, mask=inside, other=0.0).to(tl.float32) * factor(threshold)
    # A choice, not a product: what is dropped is 0 even where x is NaN or infinite.
    kept = tl.where(draws >= tl.load(threshold), wide, 0.0)
    tl.store(y + place_of, narrow(kept, y.dtype.element_ty), mask=inside)


def run(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Sequence[int]) -> Tensor:
    """Return dropout of `x`, float32 or bfloat16, on its device."""
    shape = Layout(*where)
    x, (threshold, key, samples) = x.contiguous(), on(x.device, threshold, key, samples)
    y = torch.empty_like(x)
    total = shape.before * shape.batch * shape.between * shape.groups()
    if total:
        _dropout[(triton.cdiv(total, BLOCK),)](
            y, x, threshold, key, samples, site, total, shape.batch, shape.between, shape.groups(), shape.columns,
            shape.queries, shape.context, shape.stride(), BLOCK=BLOCK,
        )  # fmt: skip
    return y


cpu._operators.impl("dropout", run, "CUDA")


def dropout(x: Tensor, mask: Mask, where: Layout) -> Tensor:
    """Return what `reference.dropout` returns, to the bit."""
    return (torch.ops.mainstem.dropout if x.is_cuda else run)(x, *mask.flat(), where)
