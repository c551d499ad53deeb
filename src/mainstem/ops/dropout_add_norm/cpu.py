"""Dropout, sum and norm by the compiled kernel, as operators that torch.compile knows.

Shapes: D width.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..gradient import differentiable, observed, operator
from ..layout import Layout
from ..mask import from_tensors
from . import reference

COLUMNS = 65536
"""The widest row that the kernel takes: its keep bits lie on a thread's stack."""


class Fused(ctypes.Structure):
    """The arrays as the library reads them."""

    _fields_ = [
        *((size, ctypes.c_int64) for size in ("samples", "rows", "columns", "x_dtype", "stream_dtype", "layer")),
        *((number, ctypes.c_double) for number in ("eps", "scale")),
    ]


class Drawn(ctypes.Structure):
    """The draw as the library reads it: three addresses, of which threshold is null where nothing is dropped."""

    _fields_ = [*((array, ctypes.c_void_p) for array in ("threshold", "key", "samples")), ("site", ctypes.c_int64)]


_REST = ctypes.POINTER(Fused), ctypes.POINTER(Drawn)
_kernel = library.function("dropout_add_norm", *[library.POINTER] * 8, *_REST, library.NUMBER)
_backward_kernel = library.function(
    "dropout_add_norm_backward", *[library.POINTER] * 11, *_REST, library.NUMBER, library.NUMBER
)

PARTS, FEWEST, MOST = 64, 16, 256
"""Gradients of gain and bias are sums of sums, each over a chunk of rows: some 64 chunks of 16 to 256 rows."""

_operators = torch.library.Library("mainstem", "FRAGMENT")
_DRAW = "Tensor? threshold, Tensor? key, Tensor? samples, int site, SymInt[] layout, float eps, bool layer, float scale"
_operators.define(
    f"dropout_add_norm(Tensor x, Tensor residual, Tensor? gain, Tensor? bias, {_DRAW})"
    " -> (Tensor, Tensor, Tensor, Tensor)"
)
_operators.define(
    "dropout_add_norm_backward(Tensor? d_stream, Tensor d_normed, Tensor stream, Tensor inverse, Tensor mean, "
    f"Tensor? gain, bool bias, bool same, ScalarType dtype, {_DRAW}) -> (Tensor, Tensor, Tensor, Tensor)"
)


def _mask(draw: Sequence[Tensor | None], site: int) -> tuple[Drawn, list[Tensor]]:
    """Return the draw's addresses, and the arrays that must live as long."""
    if draw[0] is None:
        return Drawn(None, None, None, 0), []
    held = [library.int64(part) for part in draw if part is not None]
    return Drawn(*(part.data_ptr() for part in held), site), held


def run(
    x: Tensor,
    residual: Tensor,
    gain: Tensor | None,
    bias: Tensor | None,
    threshold: Tensor | None,
    key: Tensor | None,
    samples: Tensor | None,
    site: int,
    where: Sequence[int],
    eps: float,
    layer: bool,
    scale: float,
    variant: int = library.BEST,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return stream, normed, and of each row 1 / root and the mean (empty where it is not `layer`).

    `x` and `residual` are float32 or bfloat16 on the host, `gain` and `bias` float32.
    """
    x, residual = x.contiguous(), residual.contiguous()
    gain, bias = (None if part is None else part.contiguous() for part in (gain, bias))
    stream, normed = torch.empty_like(residual), torch.empty_like(residual)
    inverse = x.new_empty(x.shape[:-1], dtype=torch.float32)
    mean = torch.empty_like(inverse) if layer else inverse.new_empty(0)
    shape = Fused(*where[1:4], library.CODES[x.dtype], library.CODES[residual.dtype], layer, eps, scale)
    mask, _held = _mask((threshold, key, samples), site)
    _kernel(
        stream.data_ptr(), normed.data_ptr(), inverse.data_ptr(), mean.data_ptr(), x.data_ptr(), residual.data_ptr(),
        library.address(gain), library.address(bias), ctypes.byref(shape), ctypes.byref(mask), variant,
    )  # fmt: skip
    return stream, normed, inverse, mean


def run_backward(
    d_stream: Tensor | None,
    d_normed: Tensor,
    stream: Tensor,
    inverse: Tensor,
    mean: Tensor,
    gain: Tensor | None,
    bias: bool,
    same: bool,
    dtype: torch.dtype,
    threshold: Tensor | None,
    key: Tensor | None,
    samples: Tensor | None,
    site: int,
    where: Sequence[int],
    eps: float,
    layer: bool,
    scale: float,
    variant: int = library.BEST,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of residual, x, gain and bias; empty where there is none, or where x's is the `same`."""
    d_stream = None if d_stream is None else d_stream.contiguous()
    d_normed, gain = d_normed.contiguous(), None if gain is None else gain.contiguous()
    d_residual, width, rows = torch.empty_like(stream), stream.shape[-1], inverse.numel()
    d_x = torch.empty(0 if same else stream.shape, dtype=dtype)
    d_gain, d_bias = inverse.new_empty(0 if gain is None else width), inverse.new_empty(width if bias else 0)
    # A function of the array alone: were it one of the number of threads, so would be the sums.
    chunk = min(max(-(-rows // PARTS), FEWEST), MOST)
    parts = inverse.new_empty(-(-rows // chunk), 2, width)
    shape = Fused(*where[1:4], library.CODES[dtype], library.CODES[stream.dtype], layer, eps, scale)
    mask, _held = _mask((threshold, key, samples), site)
    _backward_kernel(
        d_residual.data_ptr(), None if same else d_x.data_ptr(), None if gain is None else d_gain.data_ptr(),
        d_bias.data_ptr() if bias else None, parts.data_ptr(), library.address(d_stream), d_normed.data_ptr(),
        stream.data_ptr(), inverse.data_ptr(), mean.data_ptr(), library.address(gain),
        ctypes.byref(shape), ctypes.byref(mask), chunk, variant,
    )  # fmt: skip
    return d_residual, d_x, d_gain, d_bias


def _fake(x: Tensor, residual: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    layer = rest[8]
    stream = torch.empty(residual.shape, dtype=residual.dtype, device=residual.device)
    inverse = x.new_empty(x.shape[:-1], dtype=torch.float32)
    return stream, torch.empty_like(stream), inverse, inverse.new_empty(inverse.shape if layer else 0)


def _fake_backward(
    d_stream: Tensor | None, d_normed: Tensor, stream: Tensor, inverse: Tensor, mean: Tensor, gain: Tensor | None,
    bias: bool, same: bool, dtype: torch.dtype, *rest: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    width = stream.shape[-1]
    d_x = stream.new_empty(0 if same else stream.shape, dtype=dtype)
    d_gain, d_bias = inverse.new_empty(0 if gain is None else width), inverse.new_empty(width if bias else 0)
    return torch.empty_like(stream), d_x, d_gain, d_bias


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, _, gain, bias, threshold, key, samples, *ctx.rest = inputs
    stream, _, inverse, mean = output
    ctx.mark_non_differentiable(inverse, mean)
    ctx.set_materialize_grads(False)
    ctx.dtype, ctx.bias = x.dtype, bias is not None
    ctx.save_for_backward(stream, inverse, mean, gain, threshold, key, samples)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    d_stream, d_normed = grads[:2]
    stream, inverse, mean, gain, threshold, key, samples = ctx.saved_tensors
    site, where, eps, layer, scale = ctx.rest
    if d_normed is None:
        if d_stream is None:
            return (None,) * 12
        d_normed = torch.zeros_like(stream)
    if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
        mask = from_tensors(threshold, key, samples, site)
        norm = "layer" if layer else "rms"
        d_residual, d_x, d_gain, d_bias = reference.backward(
            d_stream, d_normed, stream, gain, mask, Layout(*where), eps, norm, scale, ctx.dtype
        )
    else:
        same = threshold is None and scale == 1.0 and ctx.dtype == stream.dtype
        # Not by `operator`: the gradient that it would ask, the first argument, may be None.
        again = torch.ops.mainstem.dropout_add_norm_backward if observed(d_normed) else run_backward
        d_residual, d_x, d_gain, d_bias = again(
            d_stream, d_normed, stream, inverse, mean, gain, ctx.bias, same, ctx.dtype, threshold, key, samples,
            *ctx.rest,
        )  # fmt: skip
        d_x = d_residual if same else d_x
    return d_x, d_residual, None if gain is None else d_gain, d_bias if ctx.bias else None, *(None,) * 8


_operators.impl("dropout_add_norm", run, "CPU")
_operators.impl("dropout_add_norm_backward", run_backward, "CPU")
torch.library.register_fake("mainstem::dropout_add_norm", _fake, lib=_operators)
torch.library.register_fake("mainstem::dropout_add_norm_backward", _fake_backward, lib=_operators)


dropout_add_norm = differentiable(operator("dropout_add_norm", run), _setup, _backward, "dropout_add_norm")
"""What the operator returns, with a gradient."""
