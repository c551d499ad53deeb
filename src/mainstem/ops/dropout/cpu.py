"""Dropout by the compiled kernel, as an operator that torch.compile knows."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from .. import library
from ..gradient import operator
from ..layout import Layout
from ..mask import Mask

_kernel = library.function(
    "dropout", *[library.POINTER] * 2, library.NUMBER, ctypes.POINTER(library.Shape),
    *[library.POINTER] * 3, library.NUMBER, library.NUMBER,
)  # fmt: skip

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define(
    "dropout(Tensor x, Tensor threshold, Tensor key, Tensor samples, int site, SymInt[] layout) -> Tensor"
)


def run(
    x: Tensor,
    threshold: Tensor,
    key: Tensor,
    samples: Tensor,
    site: int,
    where: Sequence[int],
    variant: int = library.BEST,
) -> Tensor:
    """Return dropout of `x`, float32 or bfloat16 on the host; `variant` forces an instruction set."""
    x, threshold, key, samples = x.contiguous(), *map(library.int64, (threshold, key, samples))
    y = torch.empty_like(x)
    shape = library.Shape(*where)
    _kernel(
        y.data_ptr(), x.data_ptr(), library.CODES[x.dtype], ctypes.byref(shape),
        threshold.data_ptr(), key.data_ptr(), samples.data_ptr(), site, variant,
    )  # fmt: skip
    return y


def _fake(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Sequence[int]) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


_operators.impl("dropout", run, "CPU")
torch.library.register_fake("mainstem::dropout", _fake, lib=_operators)


_called = operator("dropout", run)


def dropout(x: Tensor, mask: Mask, where: Layout) -> Tensor:
    """Return what `reference.dropout` returns, to the bit."""
    y: Tensor = _called(x, *mask.flat(), where)
    return y
