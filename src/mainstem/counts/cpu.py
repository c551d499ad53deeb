"""Counts by the compiled kernel, in the calling thread and without the interpreter's lock."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..ops import library
from .scored import Scored
from .work import Stopped, Work

_STOPPED = 33
_MOST = (1 << 32) - 2
"""Tokens that the kernel can number."""


class _Counts(ctypes.Structure):
    """What kernels/counts_api.h calls MainstemCounts."""

    _fields_ = [
        ("tokens", library.POINTER),
        *[(name, library.NUMBER) for name in ("width", "count", "vocab", "counted", "order", "chosen_on")],
        *[(name, library.POINTER) for name in ("frozen", "adaptive", "by_order", "discounts", "taken", "done", "stop")],
    ]


_kernel = library.function("counts", ctypes.POINTER(_Counts), ended={_STOPPED: Stopped})


def there() -> bool:
    """Return whether there is a library of kernels."""
    return isinstance(library.load(), library.Library)


def score(
    tokens: NDArray[Any], counted: int, vocab: int, order: int, chosen_on: int, adaptive: bool, work: Work
) -> Scored:
    """Return what `reference.score` returns; sums are made in another order."""
    if len(tokens) > _MOST:
        raise BadInput(f"{len(tokens):,} tokens cannot be counted at once, only {_MOST:,}: give fewer.")
    tokens = np.ascontiguousarray(tokens)
    scored = len(tokens) - counted
    frozen, adapted = np.empty(scored), np.empty(scored if adaptive else 0)
    by_order, discounts, taken = np.empty(order + 1), np.empty((order + 1, 3)), np.zeros(1, np.int64)
    arguments = _Counts(
        tokens.ctypes.data, tokens.itemsize, len(tokens), vocab, counted, order, chosen_on, frozen.ctypes.data,
        adapted.ctypes.data if adaptive else None, by_order.ctypes.data, discounts.ctypes.data, taken.ctypes.data,
        ctypes.addressof(work.thousandths), ctypes.addressof(work.stop_flag),
    )  # fmt: skip
    _kernel(ctypes.byref(arguments))
    tried = counted - chosen_on
    mean = by_order / tried if tried else np.full(order + 1, np.nan)
    return Scored(int(taken[0]), frozen, adapted if adaptive else None, mean, discounts)
