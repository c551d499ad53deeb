"""An optimizer's passes by the compiled kernels, as operators that torch.compile knows.

A pass takes tables of pointers, one entry for each tensor. The operators say what they change, and raise the version
of it, so that autograd refuses a graph that still needs what was there.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library

Tensors = Sequence[Tensor]

CHUNK = 32768
"""Elements of one partial sum of the norm, as in kernels/update_api.h."""

_HALF = {torch.float32: 0, torch.bfloat16: 1}
_POINTERS, _NUMBERS, _REALS = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p


class _Adamw(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_int64),
        *((name, _POINTERS) for name in (
            "starts", "params", "grads", "exp_avgs", "exp_avg_sqs", "steps", "averages", "masters", "halves", "rates",
            "decays", "norm",
        )),
        *((name, ctypes.c_double) for name in ("beta1", "beta2", "eps", "average_decay", "max_norm")),
    ]  # fmt: skip


class _Momentum(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_int64),
        *((name, _POINTERS) for name in ("starts", "buffers", "grads", "updates", "halves", "norm")),
        *((name, ctypes.c_double) for name in ("momentum", "max_norm")),
    ]


class _Step(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_int64),
        *((name, _POINTERS) for name in (
            "starts", "params", "updates", "averages", "masters", "halves", "keeps", "sizes",
        )),
        ("average_decay", ctypes.c_double),
    ]  # fmt: skip


_norm = library.function("update_norm", *[library.POINTER] * 2, library.NUMBER, *[library.POINTER] * 3, library.NUMBER)
_adamw, _momentum, _step = (
    library.function(f"update_{name}", library.POINTER, library.NUMBER) for name in ("adamw", "momentum", "step")
)

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define("update_norm(Tensor[] grads) -> Tensor")
_operators.define(
    "update_adamw_(Tensor(a!)[] params, Tensor[] grads, Tensor(b!)[] exp_avgs, Tensor(c!)[] exp_avg_sqs, "
    "Tensor(d!)[] steps, Tensor(e!)[] averages, Tensor(f!)[] masters, float[] rates, float[] decays, float beta1, "
    "float beta2, float eps, float average_decay, Tensor? norm, float max_norm) -> ()"
)
_operators.define(
    "update_momentum_(Tensor(a!)[] buffers, Tensor(b!)[] updates, Tensor[] grads, float momentum, Tensor? norm, "
    "float max_norm) -> ()"
)
_operators.define(
    "update_step_(Tensor(a!)[] params, Tensor[] updates, Tensor(b!)[] averages, Tensor(c!)[] masters, float[] keeps, "
    "float[] sizes, float average_decay) -> ()"
)


def _numbers(values: Sequence[int]) -> Any:
    return (ctypes.c_int64 * len(values))(*values)


def _reals(values: Sequence[float]) -> Any:
    return (ctypes.c_double * len(values))(*values)


def _pointers(tensors: Tensors) -> Any:
    """Return the table of `tensors`, or None for an empty list."""
    return (ctypes.c_int64 * len(tensors))(*[t.data_ptr() for t in tensors]) if tensors else None


def _starts(tensors: Tensors) -> list[int]:
    return [0, *itertools.accumulate([t.numel() for t in tensors])]


def _readable(tensors: Tensors) -> Tensors:
    """Return `tensors` with their elements in row-major order: themselves, or copies of those that have not."""
    return [t if t.is_contiguous() else t.contiguous() for t in tensors]


def _changing(call: Callable[..., None], *lists: Tensors) -> None:
    """Call with `lists` in row-major order, and bring what was written to copies back."""
    dense = [_readable(tensors) for tensors in lists]
    call(*dense)
    for tensors, written in zip(lists, dense, strict=True):
        for own, other in zip(tensors, written, strict=True):
            if own is not other:
                own.copy_(other)
        # Torch sees no write through a pointer, and a graph that keeps what was there must not be used again.
        torch.autograd.graph.increment_version(tensors)


def run_norm(grads: Tensors, variant: int = library.BEST) -> Tensor:
    """Return the norm over `grads`, float32 and bfloat16 on the host: a 0-d float32 tensor."""
    grads = _readable(grads)
    starts, result = _starts(grads), grads[0].new_empty((), dtype=torch.float32)
    parts = (ctypes.c_double * -(-starts[-1] // CHUNK))()
    halves = _numbers([_HALF[grad.dtype] for grad in grads])
    _norm(result.data_ptr(), parts, len(grads), _numbers(starts), _pointers(grads), halves, variant)
    return result


def run_adamw(
    params: Tensors, grads: Tensors, exp_avgs: Tensors, exp_avg_sqs: Tensors, steps: Tensors, averages: Tensors,
    masters: Tensors, rates: Sequence[float], decays: Sequence[float], beta1: float, beta2: float, eps: float,
    average_decay: float, norm: Tensor | None, max_norm: float, variant: int = library.BEST,
) -> None:  # fmt: skip
    """Do what `reference.adamw` does, to rounding."""
    grads = _readable(grads)
    halves = [
        _HALF[p.dtype] | _HALF[g.dtype] << 1 | _HALF[m.dtype] << 2
        for p, g, m in zip(params, grads, exp_avgs, strict=True)
    ]

    def call(params: Tensors, m: Tensors, v: Tensors, steps: Tensors, averages: Tensors, masters: Tensors) -> None:
        numbers = [_numbers(_starts(params)), *map(_pointers, (params, grads, m, v, steps, averages, masters)),
                   _numbers(halves), _reals(rates), _reals(decays)]  # fmt: skip
        lists = _Adamw(
            len(params), *map(_address, numbers), library.address(norm),
            beta1, beta2, eps, average_decay, max_norm,
        )  # fmt: skip
        _adamw(ctypes.addressof(lists), variant)

    _changing(call, params, exp_avgs, exp_avg_sqs, steps, averages, masters)


def run_momentum(
    buffers: Tensors, updates: Tensors, grads: Tensors, momentum: float, norm: Tensor | None, max_norm: float,
    variant: int = library.BEST,
) -> None:  # fmt: skip
    """Do what `reference.momentum` does, to rounding; `updates` are float32 and are written."""
    grads = _readable(grads)
    halves = [_HALF[b.dtype] | _HALF[g.dtype] << 1 for b, g in zip(buffers, grads, strict=True)]

    def call(buffers: Tensors, updates: Tensors) -> None:
        numbers = [_numbers(_starts(buffers)), *map(_pointers, (buffers, grads, updates)), _numbers(halves)]
        at = library.address(norm)
        lists = _Momentum(len(buffers), *map(_address, numbers), at, momentum, max_norm)
        _momentum(ctypes.addressof(lists), variant)

    _changing(call, buffers, updates)


def run_step(
    params: Tensors, updates: Tensors, averages: Tensors, masters: Tensors, keeps: Sequence[float],
    sizes: Sequence[float], average_decay: float, variant: int = library.BEST,
) -> None:  # fmt: skip
    """Do what `reference.step` does, to rounding."""
    updates = _readable(updates)
    halves = [_HALF[p.dtype] | _HALF[u.dtype] << 1 for p, u in zip(params, updates, strict=True)]

    def call(params: Tensors, averages: Tensors, masters: Tensors) -> None:
        numbers = [_numbers(_starts(params)), *map(_pointers, (params, updates, averages, masters)),
                   _numbers(halves), _reals(keeps), _reals(sizes)]  # fmt: skip
        lists = _Step(len(params), *map(_address, numbers), average_decay)
        _step(ctypes.addressof(lists), variant)

    _changing(call, params, averages, masters)


def _address(table: Any) -> int | None:
    return None if table is None else ctypes.addressof(table)


def _fake_norm(grads: Tensors) -> Tensor:
    return grads[0].new_empty((), dtype=torch.float32)


def _fake_nothing(*_: Any) -> None:
    return None


for _name, _run, _fake in (
    ("update_norm", run_norm, _fake_norm),
    ("update_adamw_", run_adamw, _fake_nothing),
    ("update_momentum_", run_momentum, _fake_nothing),
    ("update_step_", run_step, _fake_nothing),
):
    _operators.impl(_name, _run, "CPU")
    torch.library.register_fake(f"mainstem::{_name}", _fake, lib=_operators)

norm = torch.ops.mainstem.update_norm
adamw = torch.ops.mainstem.update_adamw_
step = torch.ops.mainstem.update_step_


def momentum(buffers: Tensors, grads: Tensors, momentum: float, norm: Tensor | None, max_norm: float) -> list[Tensor]:
    """Return what `reference.momentum` returns, to rounding."""
    updates = [b.new_empty(b.shape, dtype=torch.float32) for b in buffers]
    torch.ops.mainstem.update_momentum_(buffers, updates, grads, momentum, norm, max_norm)
    return updates
