"""Stochastic depth's product by Triton. Needs triton, so only what has chosen it may import this."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..dropout.triton import factor, narrow
from ..layout import Layout
from ..mask import Mask
from ..mask_bits.triton import half, on, words

BLOCK = 1024


@triton.jit
def _drop_path(y, x, threshold, key, samples, site, each, BLOCK: tl.constexpr):
    index = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    position = tl.zeros((1,), tl.int64)
    w0, w1, w2, w3 = words(position, position + tl.load(samples + index), key, site)
    kept = half(w0, w1, w2, w3, 0) >= tl.load(threshold)
    wide = tl.load(x + index * each + at, mask=at < each, other=0.0).to(tl.float32) * factor(threshold)
    tl.store(y + index * each + at, narrow(tl.where(kept, wide, 0.0), y.dtype.element_ty), mask=at < each)


def drop_path(x: Tensor, mask: Mask, where: Layout) -> Tensor:
    """Return what `reference.drop_path` returns, to the bit."""
    *numbers, site = mask.flat()
    x, (threshold, key, samples) = x.contiguous(), on(x.device, *numbers)
    y = torch.empty_like(x)
    if x.numel():
        each = x.numel() // len(x)
        _drop_path[(triton.cdiv(each, BLOCK), len(x))](y, x, threshold, key, samples, site, each, BLOCK=BLOCK)
    return y
