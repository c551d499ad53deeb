"""A weighted sum of arrays by the compiled kernel, as operators."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..gradient import differentiable
from . import reference

CHUNK = 8192
"""Elements of one partial sum of a weight's gradient: of all arrays together they stay in the cache."""


class Depth(ctypes.Structure):
    """`MainstemDepth` of kernels/mix_api.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("count", "elements", "dtype", "chunk")),
        *((name, ctypes.c_void_p) for name in ("x", "a", "order", "y", "dy", "dx", "parts", "da")),
    ]


_kernel, _backward_kernel = (
    library.function(name, ctypes.POINTER(Depth), library.NUMBER) for name in ("depth_sum", "depth_sum_backward")
)

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define("depth_sum(Tensor[] arrays, Tensor weights) -> Tensor")
_operators.define("depth_sum_backward(Tensor dy, Tensor[] arrays, Tensor weights) -> (Tensor[], Tensor)")


def _addresses(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def run(arrays: Sequence[Tensor], weights: Tensor, variant: int = library.BEST) -> Tensor:
    """Return the sum; arrays float32 or bfloat16 on the host, weights float32."""
    held, weights = [array.contiguous() for array in arrays], weights.contiguous()
    y, count = torch.empty_like(held[-1]), len(held)
    order = (ctypes.c_int64 * count)(count - 1, *range(count - 1))
    depth = Depth(
        count, y.numel(), library.CODES[y.dtype], CHUNK, ctypes.cast(_addresses(held), ctypes.c_void_p),
        weights.data_ptr(), ctypes.cast(order, ctypes.c_void_p), y.data_ptr(),
    )  # fmt: skip
    _kernel(ctypes.byref(depth), variant)
    return y


def run_backward(
    dy: Tensor, arrays: Sequence[Tensor], weights: Tensor, variant: int = library.BEST
) -> tuple[list[Tensor], Tensor]:
    """Return the gradients of the arrays and of the weights, in one pass over dy and the arrays."""
    gradients = [torch.empty(array.shape, dtype=array.dtype) for array in arrays]
    return gradients, run_dots(dy, arrays, weights, gradients, variant)


def run_dots(
    dy: Tensor, arrays: Sequence[Tensor], weights: Tensor, gradients: Sequence[Tensor] = (), variant: int = library.BEST
) -> Tensor:
    """Return the weights' gradient, and fill those of the arrays where they are given, contiguous."""
    dy, held, weights = dy.contiguous(), [array.contiguous() for array in arrays], weights.contiguous()
    dweights, count = torch.empty_like(weights), len(held)
    parts = weights.new_empty(max(1, -(-dy.numel() // CHUNK)), count)
    to = _addresses(gradients) if gradients else (ctypes.c_void_p * count)()
    depth = Depth(
        count, dy.numel(), library.CODES[dy.dtype], CHUNK, ctypes.cast(_addresses(held), ctypes.c_void_p),
        weights.data_ptr(), None, None, dy.data_ptr(), ctypes.cast(to, ctypes.c_void_p), parts.data_ptr(),
        dweights.data_ptr(),
    )  # fmt: skip
    _backward_kernel(ctypes.byref(depth), variant)
    return dweights


def _empty(like: Tensor) -> Tensor:
    return torch.empty(like.shape, dtype=like.dtype, device=like.device)


def _fake(arrays: Sequence[Tensor], weights: Tensor) -> Tensor:
    return _empty(arrays[-1])


def _fake_backward(dy: Tensor, arrays: Sequence[Tensor], weights: Tensor) -> tuple[list[Tensor], Tensor]:
    return [_empty(array) for array in arrays], _empty(weights)


def _forward(weights: Tensor, *arrays: Tensor) -> Tensor:
    return torch.ops.mainstem.depth_sum(list(arrays), weights)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, dy: Tensor) -> tuple[Tensor, ...]:
    weights, *arrays = ctx.saved_tensors
    if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
        _, pull, *_ = torch.func.vjp(lambda weights, *arrays: reference.depth_sum(arrays, weights), weights, *arrays)
        again: tuple[Tensor, ...] = pull(dy)
        return again
    gradients, dweights = torch.ops.mainstem.depth_sum_backward(dy, arrays, weights)
    return dweights, *gradients


_operators.impl("depth_sum", run, "CPU")
_operators.impl("depth_sum_backward", run_backward, "CPU")
torch.library.register_fake("mainstem::depth_sum", _fake, lib=_operators)
torch.library.register_fake("mainstem::depth_sum_backward", _fake_backward, lib=_operators)

# The arrays one by one: a function of autograd sees no tensors inside a list.
_differentiable = differentiable(_forward, _setup, _backward, "depth_sum")


def depth_sum(arrays: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Return what `reference.depth_sum` returns, to the bit."""
    y: Tensor = _differentiable(weights.to(torch.float32), *arrays)
    return y
