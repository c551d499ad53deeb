"""Attention by the compiled kernel, as operators that torch.compile knows."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..gradient import observed, plain
from . import reference
from .reference import Settings

_REST = (library.NUMBER, library.POINTER, library.REAL, *[library.POINTER] * 4, library.NUMBER, library.NUMBER)
_NUMBERS = 8 + 8 * 3
_SHAPE = ctypes.c_int64 * _NUMBERS
"""MainstemAttention as numbers: eight sizes, and each array's distances between samples, heads and positions."""


_kernel = library.function("attention", *[library.POINTER] * 5, *_REST)
_backward_kernel = library.function("attention_backward", *[library.POINTER] * 9, *_REST)


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
    _, heads, positions, width = shape
    return like.new_empty_strided(shape, (positions * heads * width, width, heads * width, 1))


def _shape(query: Tensor, key: Tensor, context: int, causal: bool, arrays: Sequence[Tensor]) -> Any:
    batch, heads, queries, width = query.shape
    sizes = (batch, heads, key.shape[1], queries, key.shape[2], width, causal, context)
    return _SHAPE(*sizes, *(distance for array in arrays for distance in array.stride()[:3]))


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
    _kernel(
        out.data_ptr(), lse.data_ptr(), query.data_ptr(), key.data_ptr(), value.data_ptr(), library.CODES[query.dtype],
        ctypes.addressof(shape), scale, *map(library.address, numbers), site, variant,
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
    *,
    into: Sequence[Tensor | None] = (None, None, None),
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of `query`, `key` and `value`; they are written to those of `into` that are given."""
    query, key, value, out, dout = map(_readable, (query, key, value, out, dout))
    numbers, lse = _whole(documents, threshold, counter, samples), lse.contiguous()
    dquery, dkey, dvalue = (
        _laid_out(like.shape, like) if given is None else given
        for given, like in zip(into, (query, key, value), strict=True)
    )
    grads = dquery, dkey, dvalue
    shape = _shape(query, key, context, causal, (query, key, value, out, dout, *grads))
    _backward_kernel(
        *(grad.data_ptr() for grad in grads), dout.data_ptr(), out.data_ptr(), lse.data_ptr(), query.data_ptr(),
        key.data_ptr(), value.data_ptr(), library.CODES[query.dtype], ctypes.addressof(shape), scale,
        *map(library.address, numbers), site, variant,
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


def _keep(ctx: Any, inputs: Sequence[Any], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs[:3], *output, *inputs[3:7])
    ctx.rest = inputs[7:]
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx: Any, dout: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    grads = torch.ops.mainstem.attention_backward(dout, *ctx.saved_tensors, *ctx.rest)
    return *grads, *(None,) * 8


def _keep_backward(ctx: Any, inputs: Sequence[Any], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:4], *inputs[6:10])
    ctx.rest = inputs[10:]


def _differentiate_backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
    settings = Settings.of(*ctx.saved_tensors[4:], *ctx.rest)

    # What forward left (the result and its sums) is a function of the arrays, which the reference computes anew.
    def pulled(dout: Tensor, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return reference.backward(dout, query, key, value, settings)

    pull = torch.func.vjp(pulled, *ctx.saved_tensors[:4])[1]
    return *pull(upstream), *(None,) * 10


torch.library.register_autograd("mainstem::attention", _differentiate, setup_context=_keep, lib=_operators)
torch.library.register_autograd(
    "mainstem::attention_backward", _differentiate_backward, setup_context=_keep_backward, lib=_operators
)


class _Transformed(torch.autograd.Function):
    """What `register_autograd` above does, for `torch.func`, which does not see through that."""

    forward = staticmethod(torch.ops.mainstem.attention)
    setup_context = staticmethod(_keep)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return *_TransformedBackward.apply(grads[0], *ctx.saved_tensors, *ctx.rest), *(None,) * 8


class _TransformedBackward(torch.autograd.Function):
    forward = staticmethod(torch.ops.mainstem.attention_backward)
    setup_context = staticmethod(_keep_backward)
    backward = staticmethod(_differentiate_backward)


class _Attention(torch.autograd.Function):
    """What `register_autograd` above does, at half the price of a call: torch prepares each of its calls in Python."""

    # One method and not two, see ops.dropout.
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, settings: Settings) -> Tensor:
        flat = settings.flat()
        out, lse = run(query, key, value, *flat)
        ctx.save_for_backward(query, key, value, out, lse, *flat[:4])
        ctx.rest = flat[4:]
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # Only a gradient of a gradient needs a graph once more.
        again = torch.ops.mainstem.attention_backward if torch.is_grad_enabled() else run_backward
        return *again(grads[0], *ctx.saved_tensors, *ctx.rest), None


_once = plain(_Attention)


def attention(query: Tensor, key: Tensor, value: Tensor, settings: Settings) -> Tensor:
    """Return what `reference.attention` returns, to rounding; autograd and `torch.func` know its gradient."""
    if torch._C._are_functorch_transforms_active():
        return _Transformed.apply(query, key, value, *settings.flat())[0]
    if observed(query, key, value):
        return torch.ops.mainstem.attention(query, key, value, *settings.flat())[0]
    return _once(query, key, value, settings)
