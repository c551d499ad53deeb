"""Which part of one text stands in another one too.

Shapes: N tokens of one text, M of the other.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops import library
from . import cpu
from .work import Stopped, Work

_STOPPED, _BASE, _STEP = 33, np.uint64(0x9E3779B97F4A7C15), 1 << 20
_MOST = 1 << 30
"""Tokens of `held` that the kernel is given at once: it numbers their windows in 32 bits."""


class _Repeated(ctypes.Structure):
    """What kernels/counts_api.h calls MainstemRepeated."""

    _fields_ = [
        *[(name, library.POINTER) for name in ("held", "train")],
        *[(name, library.NUMBER) for name in ("width", "held_count", "train_count", "window")],
        *[(name, library.POINTER) for name in ("seen", "stop")],
    ]


_kernel = library.function("repeated", ctypes.POINTER(_Repeated), ended={_STOPPED: Stopped})


def repeated(
    held: NDArray[Any], train: NDArray[Any], window: int, work: Work | None = None, impl: str = "auto"
) -> NDArray[np.bool_]:
    """Return which tokens of `held` [N] lie in `window` tokens or more that stand in `train` [M] as well.

    Both are unsigned, of one type. `work` may ask for an end, which raises `Stopped`.

    Example:
        >>> repeated(np.array([1, 2, 3, 4], np.uint8), np.array([9, 2, 3, 9], np.uint8), 2)
        array([False,  True,  True, False])
    """
    work = work if work is not None else Work()
    if impl == "reference" or (impl == "auto" and not cpu.there()):
        return reference(held, train, window, work)
    held, train = np.ascontiguousarray(held), np.ascontiguousarray(train)
    seen = np.zeros(len(held), bool)
    for at in range(0, len(held), _MOST):
        part = held[at : at + _MOST + window - 1]
        texts = _Repeated(
            part.ctypes.data, train.ctypes.data, held.itemsize, len(part), len(train), window, seen[at:].ctypes.data,
            ctypes.addressof(work.stop_flag),
        )  # fmt: skip
        _kernel(ctypes.byref(texts))
    return seen


def reference(held: NDArray[Any], train: NDArray[Any], window: int, work: Work) -> NDArray[np.bool_]:
    """Return what `repeated` returns, by hashes of 64 bits that are taken for the windows themselves."""
    seen = np.zeros(len(held), bool)
    wanted = _hashes(held, window)
    found = np.zeros(len(wanted), bool)
    for start in range(0, len(train), _STEP):
        work.tell(0.0)
        found |= np.isin(wanted, _hashes(train[start : start + _STEP + window - 1], window))
    edges = np.zeros(len(held) + 1, np.int64)  # one more window is open from where it begins to where it ends
    starts = np.flatnonzero(found)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + window, -1)
    seen[:] = np.cumsum(edges)[:-1] > 0
    return seen


def _hashes(tokens: NDArray[Any], window: int) -> NDArray[np.uint64]:
    count = max(0, len(tokens) - window + 1)
    found = np.zeros(count, np.uint64)
    for place in range(window if count else 0):
        found = found * _BASE + tokens[place : place + count].astype(np.uint64) + np.uint64(1)
    return found
