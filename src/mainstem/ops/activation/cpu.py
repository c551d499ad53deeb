"""Activations by the compiled kernel, as operators that torch.compile knows."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..gradient import differentiable, operator
from ..mask import Mask, from_tensors, tensors
from . import reference
from .kind import Activation, of_code


class Shape(ctypes.Structure):
    """`MainstemActivation` of kernels/activation_api.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("num_samples", "rows", "columns", "dtype", "kind")),
        *((name, ctypes.c_void_p) for name in ("threshold", "key", "samples")),
        ("site", ctypes.c_int64),
    ]


_kernel = library.function("activation", *[library.POINTER] * 3, ctypes.POINTER(Shape), library.NUMBER)
_backward_kernel = library.function(
    "activation_backward", *[library.POINTER] * 5, ctypes.POINTER(Shape), library.NUMBER
)

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define(
    "activation(Tensor x, Tensor? gate, Tensor? threshold, Tensor? key, Tensor? samples, int kind, int site) -> Tensor"
)
_operators.define(
    "activation_backward(Tensor dy, Tensor x, Tensor? gate, Tensor? threshold, Tensor? key, Tensor? samples, int kind,"
    " int site) -> (Tensor, Tensor)"
)


def _shape(x: Tensor, numbers: list[Tensor], kind: int, site: int) -> Shape:
    if not numbers or x.numel() == 0:  # without a mask all samples are one row
        return Shape(1, 1, x.numel(), library.CODES[x.dtype], kind, None, None, None, 0)
    # As `ops.layout` numbers them: a vector has one element a sample.
    columns = x.shape[-1] if x.dim() > 1 else 1
    rows = x.numel() // columns // x.shape[0]
    return Shape(
        x.shape[0], rows, columns, library.CODES[x.dtype], kind, *(number.data_ptr() for number in numbers), site
    )  # fmt: skip


def _numbers(threshold: Tensor | None, key: Tensor | None, samples: Tensor | None) -> list[Tensor]:
    if threshold is None or key is None or samples is None:
        return []
    return [library.int64(threshold), library.int64(key), library.int64(samples)]


def run(
    x: Tensor, gate: Tensor | None, threshold: Tensor | None, key: Tensor | None, samples: Tensor | None,
    kind: int, site: int, variant: int = library.BEST, *, over: bool = False,
) -> Tensor:  # fmt: skip
    """Return dropout(phi(x)), x float32 or bfloat16 on the host; `variant` forces an instruction set.

    With `over` the result is written over `x`, which must be contiguous.
    """
    x, gate = x.contiguous(), None if gate is None else gate.contiguous()
    y, numbers = x if over else torch.empty_like(x), _numbers(threshold, key, samples)
    _kernel(
        y.data_ptr(), x.data_ptr(), library.address(gate),
        ctypes.byref(_shape(x, numbers, kind, site)), variant,
    )  # fmt: skip
    return y


def run_backward(
    dy: Tensor, x: Tensor, gate: Tensor | None, threshold: Tensor | None, key: Tensor | None, samples: Tensor | None,
    kind: int, site: int, variant: int = library.BEST, *, over: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the gradients of `x` and of `gate`, the latter empty where there is no gate.

    With `over` the first is written over `dy`, which must be contiguous. Of a kind that is a `code_of_result`, `x`
    is what `run` returned.
    """
    dy, x, gate = dy.contiguous(), x.contiguous(), None if gate is None else gate.contiguous()
    dx, numbers = dy if over else torch.empty_like(x), _numbers(threshold, key, samples)
    dgate = x.new_empty(0) if gate is None else torch.empty_like(gate)
    _backward_kernel(
        dx.data_ptr(), None if gate is None else dgate.data_ptr(), dy.data_ptr(), x.data_ptr(),
        library.address(gate), ctypes.byref(_shape(x, numbers, kind, site)), variant,
    )  # fmt: skip
    return dx, dgate


def _fake(x: Tensor, *_: Any) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _fake_backward(dy: Tensor, x: Tensor, gate: Tensor | None, *_: Any) -> tuple[Tensor, Tensor]:
    return _fake(x), x.new_empty(0) if gate is None else _fake(gate)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.kind, ctx.site = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors  # once: a checkpoint computes them again when they are asked for
    x, gate, threshold, key, samples = saved
    dgate: Tensor | None
    if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
        mask = from_tensors(threshold, key, samples, ctx.site)
        where = None if mask is None else mask.layout(x.shape)
        dx, dgate = reference.backward(dy, x, gate, of_code(ctx.kind), mask, where)
    else:
        dx, dgate = _run_backward(dy, *saved, ctx.kind, ctx.site)
    return dx, None if gate is None else dgate, None, None, None, None, None


_implementations: dict[str, Callable[..., Any]] = {"activation": run, "activation_backward": run_backward}
for _name, _function in _implementations.items():
    _operators.impl(_name, _function, "CPU")
torch.library.register_fake("mainstem::activation", _fake, lib=_operators)
torch.library.register_fake("mainstem::activation_backward", _fake_backward, lib=_operators)


_run_backward = operator("activation_backward", run_backward)
_differentiable = differentiable(operator("activation", run), _setup, _backward, "activation")


def activation(x: Tensor, gate: Tensor | None, kind: type[Activation], mask: Mask | None) -> Tensor:
    """Return what `reference.activation` returns, to rounding, and with its mask to the bit."""
    y: Tensor = _differentiable(x, gate, *tensors(mask), kind.code, 0 if mask is None else mask.site)
    return y
