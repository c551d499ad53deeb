"""Updates by the compiled kernel, as operators that say what they change. May import its neighbours in ops."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library

CHUNK = 16384
"""Elements that are summed together, as in kernels/update_api.cpp."""


class Tensors(ctypes.Structure):
    _fields_ = [
        ("count", library.NUMBER),
        *((table, library.POINTER) for table in ("sizes", "weight", "gradient", "mean", "square", "average")),
    ]


class Values(ctypes.Structure):
    _fields_ = [
        (name, library.REAL)
        for name in ("lr", "beta1", "beta2", "eps", "decay", "step", "share", "average_decay")
    ]  # fmt: skip


_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define(
    "adamw_(Tensor(a!)[] weights, Tensor[] gradients, Tensor(b!)[] means, Tensor(c!)[] squares, "
    "Tensor(d!)[] averages, float lr, float beta1, float beta2, float eps, float decay, float step, float share, "
    "float average_decay) -> ()"
)
_operators.define("total_norm(Tensor[] gradients) -> Tensor")


def _table(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p] | None:
    return (ctypes.c_void_p * len(tensors))(*[t.data_ptr() for t in tensors]) if tensors else None


def _tensors(weights: Sequence[Tensor], *others: Sequence[Tensor]) -> tuple[Tensors, list[object]]:
    """Return the tables, and what must live as long as they are read."""
    sizes = (ctypes.c_int64 * max(1, len(weights)))(*[w.numel() for w in weights])
    held: list[object] = [sizes, *map(_table, (weights, *others))]
    return Tensors(len(weights), *(None if part is None else ctypes.addressof(part) for part in held)), held  # type: ignore[arg-type]


def run(
    weights: Sequence[Tensor], gradients: Sequence[Tensor], means: Sequence[Tensor], squares: Sequence[Tensor],
    averages: Sequence[Tensor], lr: float, beta1: float, beta2: float, eps: float, decay: float, step: float,
    share: float, average_decay: float, variant: int = library.BEST,
) -> None:  # fmt: skip
    """Update in place: float32 on the host, contiguous, of equal shapes one by one."""
    tables, _held = _tensors(weights, gradients, means, squares, averages)
    values = Values(lr, beta1, beta2, eps, decay, step, share, average_decay)
    call = library.function("adamw", ctypes.POINTER(Tensors), ctypes.POINTER(Values), library.NUMBER)
    call(ctypes.byref(tables), ctypes.byref(values), variant)


def run_norm(gradients: Sequence[Tensor], variant: int = library.BEST) -> Tensor:
    """Return the root of the sum of all squares, float64."""
    tables, _held = _tensors(gradients, gradients, (), (), ())
    parts = torch.empty(sum(-(-g.numel() // CHUNK) for g in gradients), dtype=torch.float64)
    out = torch.empty((), dtype=torch.float64)
    call = library.function("squares", library.POINTER, library.POINTER, ctypes.POINTER(Tensors), library.NUMBER)
    call(out.data_ptr(), parts.data_ptr(), ctypes.byref(tables), variant)
    return out.sqrt_()


def _fake_norm(gradients: Sequence[Tensor]) -> Tensor:
    return torch.empty((), dtype=torch.float64)


_operators.impl("adamw_", run, "CPU")
_operators.impl("total_norm", run_norm, "CPU")
torch.library.register_fake("mainstem::adamw_", lambda *values: None, lib=_operators)
torch.library.register_fake("mainstem::total_norm", _fake_norm, lib=_operators)


def adamw(*inputs: Any) -> None:
    """Do what `reference.adamw` does, to rounding."""
    torch.ops.mainstem.adamw_(*inputs)


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Return what `reference.total_norm` returns, to rounding."""
    found: Tensor = torch.ops.mainstem.total_norm(gradients)
    return found
