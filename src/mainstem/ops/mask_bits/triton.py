"""Keep decisions by Triton, and the Philox calls that all Triton kernels share.

Needs triton, so only what has chosen it may import this.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..layout import Layout
from ..mask import Mask
from . import cpu

BLOCK = 256
"""Groups of eight columns that one program draws."""


@triton.jit
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four uint32 words of Philox-4x32-10; all arguments are uint32 of one shape, keys may be scalars."""
    # Written out, and not tl.philox, whose words have been signed in some versions.
    for i in tl.static_range(10):
        if i > 0:
            k0 = (k0 + 0x9E3779B9).to(tl.uint32)
            k1 = (k1 + 0xBB67AE85).to(tl.uint32)
        a = tl.full(c0.shape, 0xD2511F53, tl.uint32)
        b = tl.full(c0.shape, 0xCD9E8D57, tl.uint32)
        high_a, low_a = tl.umulhi(c0, a), c0 * a
        high_b, low_b = tl.umulhi(c2, b), c2 * b
        c0, c1, c2, c3 = high_b ^ c1 ^ k0, low_b, high_a ^ c3 ^ k1, low_a
    return c0, c1, c2, c3


@triton.jit
def words(c0, sample, key, site):
    """Return the words that stand for eight columns at position `c0` of `sample`, both int64 of one shape."""
    seed = tl.load(key)
    epoch = (tl.load(key + 2) << 28) | tl.load(key + 1)
    zero = tl.zeros(c0.shape, tl.int64)
    # Words are cut from int64, where no bit is a sign.
    return philox(
        (c0 & 0xFFFFFFFF).to(tl.uint32),
        (sample & 0xFFFFFFFF).to(tl.uint32),
        ((zero + epoch) & 0xFFFFFFFF).to(tl.uint32),
        ((zero + site) & 0xFFFFFFFF).to(tl.uint32),
        (seed & 0xFFFFFFFF).to(tl.uint32),
        ((seed >> 32) & 0xFFFFFFFF).to(tl.uint32),
    )


@triton.jit
def half(w0, w1, w2, w3, column):
    """Return the 16 bits of column `column` % 8 as int64, the low half of a word before the high one."""
    j = column % 8
    word = tl.where(j < 2, w0, tl.where(j < 4, w1, tl.where(j < 6, w2, w3)))
    return tl.where(j % 2 == 0, word & 0xFFFF, word >> 16).to(tl.int64)


@triton.jit
def place(row, batch, between, queries, context):
    """Return (sample's index, row within the sample) of row `row` of [before, batch, between, columns]."""
    q = row % between
    outer = row // between
    if context > 0:  # noqa: SIM108, both sides of an expression would be computed
        within = q // queries * context + q % queries
    else:
        within = q
    return outer % batch, outer // batch * between + within


@triton.jit
def _mask_bits(
    out, threshold, key, samples, site,
    total, batch, between, groups, columns, queries, context, stride,
    BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < total
    group = at % groups
    index, row = place(at // groups, batch, between, queries, context)
    sample = tl.load(samples + index, mask=inside, other=0)
    w0, w1, w2, w3 = words(row * stride + group, sample, key, site)
    least = tl.load(threshold)
    byte = tl.zeros((BLOCK,), tl.int64)
    for j in tl.static_range(8):
        kept = (half(w0, w1, w2, w3, j) >= least) & (group * 8 + j < columns)
        byte += kept.to(tl.int64) << j
    tl.store(out + at, byte.to(tl.uint8), mask=inside)


def on(device: torch.device, *numbers: Tensor) -> list[Tensor]:
    """Return `numbers` as the kernels read them: int64, contiguous, on `device`."""
    return [number.to(device, torch.int64).contiguous() for number in numbers]


def run(threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Sequence[int]) -> Tensor:
    """Return the keep decisions, uint8 [before, batch, between, groups], on the device of `samples`."""
    shape = Layout(*where)
    out = torch.empty(
        (shape.before, shape.batch, shape.between, shape.groups()), dtype=torch.uint8, device=samples.device
    )
    threshold, key, samples = on(samples.device, threshold, key, samples)
    if out.numel():
        _mask_bits[(triton.cdiv(out.numel(), BLOCK),)](
            out, threshold, key, samples, site, out.numel(), shape.batch, shape.between, shape.groups(), shape.columns,
            shape.queries, shape.context, shape.stride(), BLOCK=BLOCK,
        )  # fmt: skip
    return out


cpu._operators.impl("mask_bits", run, "CUDA")


def mask_bits(mask: Mask, where: Layout) -> Tensor:
    """Return what `reference.mask_bits` returns, to the bit."""
    # On the host the operator is the compiled kernel, and Triton its interpreter, which nobody compiles.
    return (torch.ops.mainstem.mask_bits if mask.draw.samples.is_cuda else run)(*mask.flat(), where)
