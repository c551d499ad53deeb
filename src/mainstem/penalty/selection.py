"""What every penalty shares: its multiplier, and the tensors that it is summed over.

May import torch, `counter`, `errors` and `optim`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..counter import constant
from ..errors import BadInput
from ..optim import select


@dataclass(frozen=True)
class Selected:
    """`coef` times a sum over the parameters that `on` selects, read as by `optim.select`. Abstract.

    Raises `BadInput` where `coef` is not a finite number of at least 0.
    """

    coef: float
    on: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.coef) and self.coef >= 0):
            raise BadInput(f"coef {self.coef} of {type(self).__name__} cannot be used: give a finite number >= 0")


def total(tensors: Iterable[Tensor], of: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the sum of the 0-d tensors that `of` makes of each tensor in float32, or in float64 of a float64 one."""
    return torch.stack([of(w if w.dtype == torch.float64 else w.float()) for w in tensors]).sum()


def selected(model: nn.Module, on: str | None) -> list[nn.Parameter]:
    """Return what `select` does, in a form that a compiler can trace: the names are constants of the graph."""
    if not torch.compiler.is_compiling():
        return list(select(model, on).values())
    return [model.get_parameter(name) for name in _names(model, on)]


@constant  # a walk over modules, which no compiler needs to see
def _names(model: nn.Module, on: str | None) -> list[str]:
    chosen = {id(parameter) for parameter in select(model, on).values()}
    return [name for name, parameter in model.named_parameters() if id(parameter) in chosen]
