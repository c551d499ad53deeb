"""What is done to the weights after they went along a direction: the end of the chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..errors import BadInput
from . import sharded
from .direction import Direction, Moved, is_matrix
from .roles import fits


class After(ABC):
    """Changes weights after w <- w - lr u, or keeps account of them. Abstract.

    `on` says which: read as by `optim.select`. It needs the names and roles that `optim.groups` gives; of parameters
    without them, as a foreign optimizer has them, None takes the matrices by shape.
    """

    @property
    @abstractmethod
    def on(self) -> str | None: ...

    @abstractmethod
    def __call__(self, moved: Moved, direction: Direction) -> None:
        """Change the parameters of `moved`, all of which are selected and were moved by `direction`."""

    def takes(self, parameter: Tensor, known: Sequence[tuple[str, str]]) -> bool:
        """Return whether it changes a parameter with these names and roles."""
        if known:
            return fits(self.on, known)
        if self.on is not None:
            raise BadInput(
                f"{self!r} names {self.on!r}, and the optimizer was given parameters without names: "
                "give it optim.groups(model)"
            )
        return is_matrix(parameter)


class Proximable(Protocol):
    """What a proximal step asks of a penalty R."""

    @property
    def on(self) -> str | None: ...

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor: ...


@dataclass(frozen=True)
class Proximal(After):
    """w <- argmin_w 1/(2 lr) sum d (w - v)^2 + R(w), from the weights v that the direction led to.

    `penalty` is R, a term that the loss then does not have. d is the metric of the direction, sqrt(v) + eps under
    Adam and 1 under SGD; under Muon it is 1 with Muon's own step, lr times its scale, in place of lr. Unlike a term of
    the loss it makes weights exactly zero where R has a kink.

    Source:
        Yun, Lozano and Yang, "Adaptive proximal gradient methods" (ProxGen, arXiv 2006.07065).
    """

    penalty: Proximable

    def __post_init__(self) -> None:
        if getattr(self.penalty, "anchored", False):
            raise BadInput(
                f"{self.penalty!r} cannot be a proximal step, which does not know where training began: add it to "
                "the loss"
            )

    @property
    def on(self) -> str | None:
        return self.penalty.on

    def __call__(self, moved: Moved, direction: Direction) -> None:
        rates = moved.rates(direction)
        for p, state, group, rate in zip(moved.params, moved.states, moved.groups, rates, strict=True):
            if rate > 0:
                v = sharded.local(p)
                v.copy_(self.penalty.prox(v, rate, direction.metric(state, group)))
