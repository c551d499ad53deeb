"""Normalisation by the compiled kernel, as operators that torch.compile knows."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from .. import library
from ..gradient import operator

_NONE = ctypes.c_int64 * 3


class Rows(ctypes.Structure):
    """How rows of `columns` elements lie in memory: three sizes, and each array's three distances in elements."""

    _fields_ = [
        *((size, ctypes.c_int64) for size in ("outer", "middle", "inner", "columns")),
        *((array, _NONE) for array in ("x", "y", "dy")),
        *((array, ctypes.c_void_p) for array in ("cosine", "sine")),
    ]


_SHAPE = ctypes.POINTER(Rows)
_kernel = library.function("rms_norm", *[library.POINTER] * 4, library.NUMBER, _SHAPE, library.REAL, library.NUMBER)
_backward_kernel = library.function(
    "rms_norm_backward", *[library.POINTER] * 7, library.NUMBER, _SHAPE, library.NUMBER, library.NUMBER
)

PARTS, FEWEST, MOST = 64, 16, 256
"""The gain's gradient is a sum of sums, each over a chunk of rows: some 64 chunks of 16 to 256 rows."""

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define(
    "rms_norm(Tensor x, Tensor? gain, float eps, Tensor? cosine=None, Tensor? sine=None) -> (Tensor, Tensor)"
)
_operators.define(
    "rms_norm_backward(Tensor dy, Tensor x, Tensor? gain, Tensor inverse, Tensor? cosine=None, Tensor? sine=None)"
    " -> (Tensor, Tensor)"
)


def _readable(x: Tensor) -> Tensor:
    """Return `x` in a layout that the kernel reads: columns side by side, and no more than three axes of rows."""
    return x if x.dim() <= 4 and (x.stride(-1) == 1 or x.shape[-1] == 1) else x.contiguous()


def _rows(x: Tensor, y: Tensor, dy: Tensor, rows: int, angles: list[Tensor]) -> Rows:
    columns = x.shape[-1]
    if not angles and x.is_contiguous() and y.is_contiguous() and dy.is_contiguous():
        side = _NONE(0, 0, columns)
        return Rows(1, 1, rows, columns, side, side, side)
    absent = 4 - x.dim()

    def distances(t: Tensor) -> ctypes.Array[ctypes.c_int64]:
        return _NONE(*(0,) * absent, *t.stride()[:-1])

    tables = [table.data_ptr() for table in angles]
    return Rows(*(1,) * absent, *x.shape, distances(x), distances(y), distances(dy), *tables)


def _angles(cosine: Tensor | None, sine: Tensor | None) -> list[Tensor]:
    return [] if cosine is None or sine is None else [cosine.contiguous(), sine.contiguous()]


def run(
    x: Tensor, gain: Tensor | None, eps: float, cosine: Tensor | None = None, sine: Tensor | None = None,
    variant: int = library.BEST,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return y and 1 / rms of each row; `x` is float32 or bfloat16 on the host, `gain` float32."""
    x, gain = _readable(x), None if gain is None else gain.contiguous()
    y, inverse = torch.empty_like(x), x.new_empty(x.shape[:-1], dtype=torch.float32)
    angles = _angles(cosine, sine)
    shape = _rows(x, y, y, inverse.numel(), angles)
    _kernel(
        y.data_ptr(), inverse.data_ptr(), x.data_ptr(), library.address(gain),
        library.CODES[x.dtype], ctypes.byref(shape), eps, variant,
    )  # fmt: skip
    return y, inverse


def run_backward(
    dy: Tensor, x: Tensor, gain: Tensor | None, inverse: Tensor, cosine: Tensor | None = None,
    sine: Tensor | None = None, variant: int = library.BEST, *, into: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the gradients of `x` and of `gain`, the latter empty where there is no gain.

    The first is written to `into`, if it is given: of x's shape and dtype, its columns side by side.
    """
    x, dy, inverse = _readable(x), _readable(dy), inverse.contiguous()
    dx, rows = torch.empty_like(x) if into is None else into, inverse.numel()
    # A function of the array alone: were it one of the number of threads, so would be the sum.
    chunk = min(max(-(-rows // PARTS), FEWEST), MOST)
    if gain is None:
        dgain = parts = inverse.new_empty(0)
    else:
        gain = gain.contiguous()
        dgain, parts = torch.empty_like(gain), gain.new_empty(-(-rows // chunk), gain.shape[0])
    angles = _angles(cosine, sine)
    shape = _rows(x, dx, dy, rows, angles)
    _backward_kernel(
        dx.data_ptr(), dgain.data_ptr(), parts.data_ptr(), dy.data_ptr(), x.data_ptr(),
        library.address(gain), inverse.data_ptr(),
        library.CODES[x.dtype], ctypes.byref(shape), chunk, variant,
    )  # fmt: skip
    return dx, dgain


def _fake(x: Tensor, gain: Tensor | None, eps: float, *angles: Tensor | None) -> tuple[Tensor, Tensor]:
    return torch.empty_like(_readable(x)), x.new_empty(x.shape[:-1], dtype=torch.float32)


def _fake_backward(
    dy: Tensor, x: Tensor, gain: Tensor | None, inverse: Tensor, *angles: Tensor | None
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(_readable(x)), inverse.new_empty(0 if gain is None else gain.shape[0])


_operators.impl("rms_norm", run, "CPU")
_operators.impl("rms_norm_backward", run_backward, "CPU")
torch.library.register_fake("mainstem::rms_norm", _fake, lib=_operators)
torch.library.register_fake("mainstem::rms_norm_backward", _fake_backward, lib=_operators)


rms_norm = operator("rms_norm", run)
"""What `reference.rms_norm` returns, to rounding, and 1 / rms of each row."""

_run_backward = operator("rms_norm_backward", run_backward)


def backward(
    dy: Tensor, x: Tensor, gain: Tensor | None, inverse: Tensor, cosine: Tensor | None, sine: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return what `reference.backward` returns, to rounding."""
    dx, dgain = _run_backward(dy, x, gain, inverse, cosine, sine)
    return dx, None if gain is None else dgain
