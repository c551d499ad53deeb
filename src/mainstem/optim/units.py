"""Parts of a model that can be taken out as a whole: hidden units, heads, rows and columns.

A module says what its units are by a method ``units() -> {kind: (count, {parameter name relative to it: axis})}``:
along that axis the parameter has an equal part of each unit. Shapes: G units, S numbers of a unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..names import parameters
from .roles import named, select

KINDS = ("rows", "columns", "hidden", "heads")


@dataclass(frozen=True, eq=False)
class Units:
    """`count` units of one module; each has an equal part of every parameter, along its axis."""

    name: str
    count: int
    names: tuple[str, ...]
    params: tuple[nn.Parameter, ...]
    axes: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers a unit has."""
        return sum(p.numel() for p in self.params) // self.count

    def flat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return tensors of the shapes of the parameters as one [G, S]."""
        return torch.cat([_along(t, axis, self.count) for t, axis in zip(tensors, self.axes, strict=True)], dim=1)

    def parts(self, flat_GS: Tensor) -> list[Tensor]:
        """Return what `flat` made one of."""
        found, first = [], 0
        for p, axis in zip(self.params, self.axes, strict=True):
            width = p.numel() // self.count
            shape = list(p.shape)
            length = shape.pop(axis) if shape else 1
            part = flat_GS[:, first : first + width].reshape(length, *shape).movedim(0, axis)
            found.append(part.reshape(p.shape))
            first += width
        return found


def units(model: nn.Module, kind: str, on: str | None = None) -> list[Units]:
    """Return the units of `kind` of all modules of `model`, of those whose parameters are all among what `on` selects.

    "rows" and "columns" are those of every matrix that `on` selects; a vector is one row.

    Raises:
        BadInput: an unknown kind, or no such units.

    Example:
        >>> [(each.name, each.count, each.size) for each in units(nn.Sequential(nn.Linear(3, 2)), "rows")]
        [('0.weight', 2, 3)]
    """
    if kind not in KINDS:
        raise BadInput(f"There are no units {kind[:60]!r}: choose one of {', '.join(KINDS)}.")
    chosen = select(model, on)
    if kind in ("rows", "columns"):
        axis = KINDS.index(kind)
        return [Units(name, *_of(p, axis), (name,), (p,), (axis if p.dim() > 1 else 0,)) for name, p in chosen.items()]
    found = []
    every = named(model)
    for path, module in parameters(model).modules.items():
        said: dict[str, Any] = getattr(module, "units", dict)()
        if kind in said:
            count, axes = said[kind]
            names = tuple(f"{path}.{own}" if path else own for own in axes)
            if all(name in chosen for name in names):
                params = tuple(every[name] for name in names)
                found.append(Units(f"{path}.{kind}", count, names, params, tuple(axes.values())))
    if not found:
        raise BadInput(
            f"No {kind} of this model lie whole in what on {on or 'the matrices'!r} selects: leave it out, or use rows."
        )
    return found


def _of(p: nn.Parameter, axis: int) -> tuple[int]:
    return (p.shape[axis] if p.dim() > 1 else 1,)


def _along(tensor: Tensor, axis: int, count: int) -> Tensor:
    return tensor.movedim(axis, 0).reshape(count, -1)


def shrunk(v_GS: Tensor, metric_GS: Tensor | float, threshold: float) -> Tensor:
    """Return argmin_w 1/2 sum metric (w - v)^2 + threshold |w_g| for each unit g: all 0 where |metric v_g| is no more.

    Formula:
        w = metric v / (metric + threshold / r), r = |w|: the root of |metric v / (metric r + threshold)| = 1

    Newton's steps on the inverse of that norm, which is concave, come from below; with one number as the metric it is
    straight, and the first step is the root.

    Example:
        >>> shrunk(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), 1.0, 1.0)
        tensor([[2.4000, 3.2000],
                [0.0000, 0.0000]])
    """
    if threshold == 0:
        return v_GS
    if v_GS.dtype in (torch.bfloat16, torch.float16):  # norms and roots want more digits than these have
        return shrunk(v_GS.float(), metric_GS, threshold).to(v_GS.dtype)
    metric = torch.as_tensor(metric_GS, dtype=v_GS.dtype, device=v_GS.device)
    force = metric * v_GS
    alive = torch.linalg.vector_norm(force, dim=1, keepdim=True) > threshold
    r = torch.zeros_like(alive, dtype=v_GS.dtype)
    for _ in range(_STEPS if metric.dim() else 1):
        below = metric * r + threshold
        f = force / below
        length = torch.linalg.vector_norm(f, dim=1, keepdim=True)
        slope = (f.square() * metric / below).sum(1, keepdim=True)
        r = r + torch.where(alive, length.square() * (length - 1) / slope, torch.zeros_like(r))
    return torch.where(alive, r * force / (metric * r + threshold), torch.zeros_like(v_GS))


_STEPS = 8
"""Newton's steps where the metric differs within a unit: few are needed, as what it solves is nearly straight."""


def weight(size: int) -> float:
    """Return sqrt(size), by which the norm of a group is weighted, so that groups of all sizes shrink alike."""
    return math.sqrt(size)
