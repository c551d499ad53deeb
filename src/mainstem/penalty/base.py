"""What every penalty shares: its multiplier, the tensors that it is summed over, and its two uses."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..counter import constant
from ..errors import BadInput
from ..optim import select, sharded
from ..optim.places import refuse_meta, together


@dataclass(frozen=True)
class Penalty(ABC):
    """A penalty R(w), summed over the parameters that `on` selects. Abstract; a penalty says what R is of one tensor.

    It has two uses that give different models: as a term of the loss, by calling it with the model, or as the proximal
    step of an optimizer (``optim.AdamW(..., proximal=R)``), by `prox`.

    Args:
        coef: its multiplier, at least 0.
        on: a role or a pattern of names, read as by `optim.select`; None: the matrices.

    Raises:
        BadInput: where `coef` is not a finite number of at least 0, or, when it is used, where `on` fits nothing, or
            what lies partly on the meta device.
    """

    anchored: ClassVar[bool] = False
    """Whether it holds on to something of the weights that training began with, so that `begin` has to come first."""

    elementwise: ClassVar[bool] = True
    """Whether R is a sum over single weights."""

    proximable: ClassVar[bool] = True
    """Whether it may be a proximal step."""

    shrinks: ClassVar[bool] = True
    """Whether it draws weights to 0, as a decay does."""

    coef: float
    on: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.coef) and self.coef >= 0):
            raise BadInput(f"coef {self.coef} of {type(self).__name__} cannot be used: give a finite number >= 0.")

    def __call__(self, model: nn.Module) -> Tensor:
        """Return coef times the sum, a term of the loss: 0-d, float32, or float64 where all tensors are.

        A tied tensor counts once. Add it once per optimizer step: where gradients accumulate, divide it by the number
        of micro-batches.
        """
        return self.coef * total(selected(model, self.on), self.of)

    def begin(self, model: nn.Module, anchor: Mapping[str, Tensor] | None = None) -> Penalty:
        """Return the penalty of a training that begins with `model`, or that goes on from what `anchor` returned."""
        return self

    def anchor(self) -> dict[str, Tensor]:
        """Return what it holds on to, by the names of the parameters, for a checkpoint; most hold nothing."""
        return {}

    @abstractmethod
    def of(self, w: Tensor) -> Tensor:
        """Return R(w) / coef of one tensor: 0-d, differentiable."""

    @abstractmethod
    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        """Return argmin_w 1/(2 lr) sum metric (w - v)^2 + R(w), of the shape of `v`."""


def total(tensors: Sequence[Tensor], of: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the sum of the 0-d tensors that `of` makes of each tensor in float32, or in float64 of a float64 one.

    It is on the device of the first.
    """
    return torch.stack(together([of(sharded.wide(w)) for w in tensors])).sum()


def soft(v: Tensor, threshold: Tensor | float) -> Tensor:
    """Return sign(v) max(|v| - threshold, 0): exactly 0 where v is within the threshold.

    Example:
        >>> soft(torch.tensor([1.0, -0.3, 0.05]), 0.1)
        tensor([ 0.9000, -0.2000,  0.0000])
    """
    edge = torch.as_tensor(threshold, dtype=v.dtype, device=v.device)
    return v - v.clamp(-edge, edge)


def selected(model: nn.Module, on: str | None) -> list[nn.Parameter]:
    """Return what `select` does, in a form that a compiler can trace: the names are constants of the graph."""
    if not torch.compiler.is_compiling():
        chosen = select(model, on)
        refuse_meta(list(chosen.values()), list(chosen))
        return list(chosen.values())
    return [model.get_parameter(name) for name in _names(model, on)]


@constant  # a walk over modules, which no compiler needs to see
def _names(model: nn.Module, on: str | None) -> list[str]:
    chosen = {id(parameter) for parameter in select(model, on).values()}
    return [name for name, parameter in model.named_parameters() if id(parameter) in chosen]
