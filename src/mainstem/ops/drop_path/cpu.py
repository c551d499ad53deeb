"""Stochastic depth's product by the compiled kernel, as an operator that torch.compile knows."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import library
from ..gradient import operator
from ..layout import Layout
from ..mask import Mask

_kernel = library.function(
    "drop_path", *[library.POINTER] * 2, *[library.NUMBER] * 3, *[library.POINTER] * 3, library.NUMBER, library.NUMBER
)

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define("drop_path(Tensor x, Tensor threshold, Tensor key, Tensor samples, int site) -> Tensor")


def run(
    x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, variant: int = library.BEST
) -> Tensor:  # fmt: skip
    """Return `x`, float32 or bfloat16 on the host, with whole samples dropped; `variant` forces an instruction set."""
    x, threshold, key, samples = x.contiguous(), *map(library.int64, (threshold, key, samples))
    y = torch.empty_like(x)
    _kernel(
        y.data_ptr(), x.data_ptr(), library.CODES[x.dtype], len(x), x.numel() // max(1, len(x)),
        threshold.data_ptr(), key.data_ptr(), samples.data_ptr(), site, variant,
    )  # fmt: skip
    return y


def _fake(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


_operators.impl("drop_path", run, "CPU")
torch.library.register_fake("mainstem::drop_path", _fake, lib=_operators)


_called = operator("drop_path", run)


def drop_path(x: Tensor, mask: Mask, where: Layout) -> Tensor:
    """Return what `reference.drop_path` returns, to the bit."""
    y: Tensor = _called(x, *mask.flat())
    return y
