"""Keep decisions by the compiled kernel, as an operator that torch.compile knows."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from .. import library
from ..layout import Layout
from ..mask import Mask

_kernel = library.function(
    "mask_bits", library.POINTER, ctypes.POINTER(library.Shape), *[library.POINTER] * 3, library.NUMBER, library.NUMBER,
)  # fmt: skip

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define("mask_bits(Tensor threshold, Tensor key, Tensor samples, int site, SymInt[] layout) -> Tensor")


def _empty(samples: Tensor, where: Sequence[int]) -> Tensor:
    before, batch, between, columns = where[:4]
    return torch.empty((before, batch, between, (columns + 7) // 8), dtype=torch.uint8, device=samples.device)


def run(
    threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Sequence[int], variant: int = library.BEST
) -> Tensor:
    """Return the keep decisions, uint8 [before, batch, between, groups]; `variant` forces an instruction set."""
    threshold, key, samples = map(library.int64, (threshold, key, samples))
    out = _empty(samples, where)
    shape = library.Shape(*where)
    _kernel(
        out.data_ptr(), ctypes.byref(shape), threshold.data_ptr(), key.data_ptr(), samples.data_ptr(), site, variant
    )
    return out


def _fake(threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Sequence[int]) -> Tensor:
    return _empty(samples, where)


_operators.impl("mask_bits", run, "CPU")
torch.library.register_fake("mainstem::mask_bits", _fake, lib=_operators)


def mask_bits(mask: Mask, where: Layout) -> Tensor:
    """Return what `reference.mask_bits` returns, to the bit."""
    return torch.ops.mainstem.mask_bits(*mask.flat(), where)
