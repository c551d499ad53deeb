"""The keep decisions themselves, eight to a byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from ..dispatch import choose
from ..mask import Mask
from . import cpu, reference


def mask_bits(
    shape: Sequence[int],
    mask: Mask,
    *,
    batch_dim: int = 0,
    context: int | None = None,
    impl: str = "auto",
) -> Tensor:
    """Return which elements `ops.dropout` keeps of an array of `shape`: uint8 [..., ceil(columns / 8)].

    Bit j (of value 2^j) of byte i is 1 where column 8 i + j is kept; bits beyond the last column are 0. A vector of n
    samples gives [n, 1]. Arguments and errors are those of `ops.dropout`; the result is on the device of its draw.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> from mainstem.counter import Draw, site_id
        >>> draw = Draw(key=torch.tensor([0x0123456789ABCDEF, 3, 0]), samples=torch.tensor([5]))
        >>> mask = ops.Mask(ops.threshold(0.25), draw, site_id("drop", "blocks.0.attn.out"))
        >>> [f"{byte:08b}" for byte in mask_bits((1, 12), mask)[0].tolist()]
        ['01110111', '00000001']
    """
    where = mask.layout(shape, batch_dim, context)
    chosen = choose("mask_bits", impl, mask.draw.samples.device.type)
    # The threshold follows the model to its device, the draw of a scope stays on the CPU.
    mask = mask._replace(threshold=mask.threshold.to(mask.draw.samples.device))
    bits = _implementation(chosen)(mask, where)
    return bits.reshape(*(shape if len(shape) == 1 else shape[:-1]), where.groups())


def _implementation(chosen: str) -> Callable[..., Tensor]:
    if chosen == "triton":
        from . import triton

        return triton.mask_bits
    return cpu.mask_bits if chosen == "cpu" else reference.mask_bits
