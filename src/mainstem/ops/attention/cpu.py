"""Attention by the compiled kernel, as operators that torch.compile knows. May import its neighbours in ops."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from .. import library

_CODES = {torch.float32: 0, torch.bfloat16: 1}
_SIZES = ("batch", "heads", "groups", "queries", "keys", "width", "causal", "context")
_ARRAYS = ("query", "key", "value", "out", "dout", "dquery", "dkey", "dvalue")
_DISTANCES = ctypes.c_int64 * 3


class Shape(ctypes.Structure):
    """Eight sizes, and of each array the distances between samples, heads and positions, in elements."""

    _fields_ = [*((size, ctypes.c_int64) for size in _SIZES), *((array, _DISTANCES) for array in _ARRAYS)]


_REST = (
    library.NUMBER, ctypes.POINTER(Shape), library.REAL, *[library.POINTER] * 4, library.NUMBER, library.NUMBER,
)  # fmt: skip
_FORWARD = (*[library.POINTER] * 5, *_REST)
_BACKWARD = (*[library.POINTER] * 9, *_REST)

_operators = torch.library.Library("mainstem", "FRAGMENT")
_SETTINGS = (
    "Tensor? documents, Tensor? threshold, Tensor? counter, Tensor? samples, int site, SymInt context, bool causal, "
    "float scale"
)
_operators.define(f"attention(Tensor query, Tensor key, Tensor value, {_SETTINGS}) -> (Tensor, Tensor)")
_operators.define(
    "attention_backward(Tensor dout, Tensor query, Tensor key, Tensor value, Tensor out, Tensor lse, "
    f"{_SETTINGS}) -> (Tensor, Tensor, Tensor)"
)


def _readable(x: Tensor) -> Tensor:
    """Return `x` with its last axis side by side, which is all that the kernel asks of a layout."""
    return x if x.stride(3) == 1 or x.shape[3] == 1 else x.contiguous()


def _laid_out(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return an array [B, H, T, K] that lies as [B, T, H, K], so that joining the heads is a view."""
    batch, heads, positions, width = shape
    return like.new_empty((batch, positions, heads, width)).transpose(1, 2)


def _shape(query: Tensor, key: Tensor, context: int, causal: bool, arrays: Sequence[Tensor]) -> Shape:
    batch, heads, queries, width = query.shape
    distances = (_DISTANCES(*array.stride()[:3]) for array in arrays)
    return Shape(batch, heads, key.shape[1], queries, key.shape[2], width, causal, context, *distances)


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _whole(*tensors: Tensor | None) -> list[Tensor | None]:
    return [None if tensor is None else library.int64(tensor) for tensor in tensors]


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    documents: Tensor | None,
    threshold: Tensor | None,
    counter: Tensor | None,
    samples: Tensor | None,
    site: int,
    context: int,
    causal: bool,
    scale: float,
    variant: int = library.BEST,
) -> tuple[Tensor, Tensor]:
    """Return what `reference.attention` does, to rounding, and the log-sum-exp of each row, float32 [B, H, Q]."""
    query, key, value = _readable(query), _readable(key), _readable(value)
    numbers = _whole(documents, threshold, counter, samples)
    out = _laid_out(query.shape, query)
    lse = query.new_empty(query.shape[:3], dtype=torch.float32)
    shape = _shape(query, key, context, causal, (query, key, value, out))
    library.function("attention", *_FORWARD)(
        out.data_ptr(), lse.data_ptr(), query.data_ptr(), key.data_ptr(), value.data_ptr(), _CODES[query.dtype],
        ctypes.byref(shape), scale, *map(_pointer, numbers), site, variant,
    )  # fmt: skip
    return out, lse


def run_backward(
    dout: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    lse: Tensor,
    documents: Tensor | None,
    threshold: Tensor | None,
    counter: Tensor | None,
    samples: Tensor | None,
    site: int,
    context: int,
    causal: bool,
    scale: float,
    variant: int = library.BEST,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of `query`, `key` and `value`."""
    query, key, value, out, dout = map(_readable, (query, key, value, out, dout))
    numbers, lse = _whole(documents, threshold, counter, samples), lse.contiguous()
    grads = _laid_out(query.shape, query), _laid_out(key.shape, key), _laid_out(value.shape, value)
    shape = _shape(query, key, context, causal, (query, key, value, out, dout, *grads))
    library.function("attention_backward", *_BACKWARD)(
        *(grad.data_ptr() for grad in grads), dout.data_ptr(), out.data_ptr(), lse.data_ptr(), query.data_ptr(),
        key.data_ptr(), value.data_ptr(), _CODES[query.dtype], ctypes.byref(shape), scale, *map(_pointer, numbers),
        site, variant,
    )  # fmt: skip
    return grads


def _fake(query: Tensor, key: Tensor, value: Tensor, *settings: object) -> tuple[Tensor, Tensor]:
    return _laid_out(query.shape, query), query.new_empty(query.shape[:3], dtype=torch.float32)


def _fake_backward(
    dout: Tensor, query: Tensor, key: Tensor, value: Tensor, *rest: object
) -> tuple[Tensor, Tensor, Tensor]:
    return _laid_out(query.shape, query), _laid_out(key.shape, key), _laid_out(value.shape, value)


_operators.impl("attention", run, "CPU")
_operators.impl("attention_backward", run_backward, "CPU")
torch.library.register_fake("mainstem::attention", _fake, lib=_operators)
torch.library.register_fake("mainstem::attention_backward", _fake_backward, lib=_operators)
