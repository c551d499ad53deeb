"""What is done to the weights after they went along a direction: the end of the chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import BadInput
from . import sharded
from .direction import Direction, Moved, is_matrix
from .roles import fits
from .units import Units


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
                "give it optim.groups(model)."
            )
        return is_matrix(parameter)


class Proximable(Protocol):
    """What a proximal step asks of a penalty R."""

    @property
    def on(self) -> str | None: ...

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor: ...


class Joint(Proximable, Protocol):
    """A penalty whose groups lie in several tensors: `begin` has found them, and a step is taken for all parts."""

    @property
    def held(self) -> tuple[Units, ...] | None: ...

    def prox_of(self, each: Units, values: Sequence[Tensor], metrics: Sequence[Tensor]) -> list[Tensor]: ...


@dataclass(frozen=True)
class Proximal(After):
    """w <- argmin_w 1/(2 lr) sum d (w - v)^2 + R(w), from the weights v that the direction led to.

    `penalty` is R, a term that the loss then does not have. d is the metric of the direction, sqrt(v) + eps under
    Adam and 1 under SGD; under Muon it is 1 with Muon's own step, lr times its scale, in place of lr. Unlike a term of
    the loss it makes weights exactly zero where R has a kink. A group lasso takes what its `begin` has found in a
    model; its groups may lie in several tensors, each with its own metric and rate.

    Raises:
        BadInput: a penalty that is no proximal step, or a group lasso that does not know its model.

    Source:
        Yun, Lozano and Yang, "Adaptive proximal gradient methods" (ProxGen, arXiv 2006.07065).
        Read: abstract.
        Differs: no.
    """

    penalty: Proximable

    def __post_init__(self) -> None:
        if not getattr(self.penalty, "proximable", True):
            why = ", which does not know where training began" if getattr(self.penalty, "anchored", False) else ""
            raise BadInput(f"{self.penalty!r} cannot be a proximal step{why}: add it to the loss.")
        if hasattr(self.penalty, "prox_of") and self._joint.held is None:
            raise BadInput(f"{self.penalty!r} does not know its groups: give its begin(model) in its place.")

    @property
    def on(self) -> str | None:
        return self.penalty.on

    @property
    def _joint(self) -> Joint:
        return self.penalty  # type: ignore[return-value]

    def takes(self, parameter: Tensor, known: Sequence[tuple[str, str]]) -> bool:
        if hasattr(self.penalty, "prox_of"):
            return any(parameter is p for each in self._joint.held or () for p in each.params)
        return super().takes(parameter, known)

    def __call__(self, moved: Moved, direction: Direction) -> None:
        rates = moved.rates(direction)
        if hasattr(self.penalty, "prox_of"):
            self._of_units(moved, direction, rates)
            return
        for p, state, group, rate in zip(moved.params, moved.states, moved.groups, rates, strict=True):
            if rate > 0:
                v = sharded.local(p)
                v.copy_(self.penalty.prox(sharded.wide(v), rate, direction.metric(state, group)))

    def _of_units(self, moved: Moved, direction: Direction, rates: Sequence[float]) -> None:
        penalty = self._joint
        place = {id(p): index for index, p in enumerate(moved.params)}
        for each in penalty.held or ():
            found = [place[id(p)] for p in each.params if id(p) in place]
            if not found or any(rates[at] <= 0 for at in found):
                continue
            if len(found) < len(each.params):
                raise BadInput(
                    f"{penalty!r} takes {each.name} as a whole, and only some of its tensors are moved together: train "
                    "all of them, by one optimizer."
                )
            params = [moved.params[at] for at in found]
            whole = [sharded.wide(sharded.whole(sharded.local(p), p)) for p in params]
            metrics = []
            for at, p, v in zip(found, params, whole, strict=True):
                d = direction.metric(moved.states[at], moved.groups[at])
                d = sharded.whole(d, p) if isinstance(d, Tensor) else torch.full_like(v, d)
                metrics.append(d / rates[at])
            for p, w in zip(params, penalty.prox_of(each, whole, metrics), strict=True):
                sharded.local(p).copy_(sharded.part_of(w, p))
