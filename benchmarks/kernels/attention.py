"""Attention in blocks against PyTorch's, forward and backward: shapes of small models, and long sequences.

Heads are transposed views of [B, T, H, K], as a projection leaves them, on both sides.
"""

from __future__ import annotations

import torch
from limit import Case
from torch import Tensor

from mainstem import ops
from mainstem.counter import Draw

SHAPES = {  # B, H, T, K, and how many times as fast we mean to be at rate 0 and at rate 0.1
    (16, 6, 256, 64): ("at least 1.0", "at least 3.0"),
    (12, 4, 64, 32): ("at least 1.5", "at least 1.5"),
    (4, 6, 1024, 64): ("at least 1.0", "at least 3.0"),
    (1, 6, 4096, 64): ("at least 1.0", "at least 3.0"),
}


def _case(shape: tuple[int, int, int, int], rate: float, dtype: torch.dtype, target: str) -> Case:
    batch, heads, positions, width = shape
    sizes = (batch, positions, heads, width)
    query, key, value = (torch.randn(sizes, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3))
    upstream = torch.randn(sizes, dtype=dtype).transpose(1, 2)
    mask = ops.Mask(ops.threshold(rate), Draw(torch.tensor([1, 2, 0]), torch.arange(batch)), 7) if rate else None

    def both(out: Tensor) -> object:
        return torch.autograd.grad(out, (query, key, value), upstream)

    def ours() -> object:
        return both(ops.attention(query, key, value, mask))

    def theirs() -> object:
        return both(torch.nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=True))

    what = f"attention {batch}x{heads}x{positions}x{width}, causal, {str(dtype).removeprefix('torch.')}, rate {rate:g}"
    # Two products forward; backward, where scores are made again, five. Each over the pairs that a position may see.
    flops = 7 * 2 * batch * heads * width * positions * (positions + 1) / 2
    moved = 12 * upstream.nbytes
    return Case(what, "torch scaled_dot_product_attention", target, ours, theirs, moved, flops)


def cases() -> list[Case]:
    """Return the comparisons; each callable is one forward and backward."""
    found = []
    for shape, targets in SHAPES.items():
        for rate, target in zip((0.0, 0.1), targets, strict=True):
            found.append(_case(shape, rate, torch.float32, target))
    found += [_case((16, 6, 256, 64), rate, torch.bfloat16, "at least 1.0") for rate in (0.0, 0.1)]
    return found
