"""Which way the weights go: the part of an update that reads gradients and keeps moments."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from .. import variants
from ..config.sections import NonNegative
from .owners import Among
from .roles import is_within

T = TypeVar("T")
Group = Mapping[str, Any]
"""The parameter group of one parameter, as torch has it: the truth at the time of the step."""


class Moved(NamedTuple):
    """The parameters that one direction moves in a step, list by list; under FSDP2 their tensors are DTensors.

    `among` are the processes that take the step together, where they may share its work.
    """

    params: list[Tensor]
    grads: list[Tensor]
    states: list[dict[str, Tensor]]
    groups: list[Group]
    among: Among | None = None

    def add(self, parameter: Tensor, grad: Tensor, state: dict[str, Tensor], group: Group) -> None:
        """Add one parameter."""
        self.params.append(parameter)
        self.grads.append(grad)
        self.states.append(state)
        self.groups.append(group)

    def rates(self, direction: Direction) -> list[float]:
        """Return what u of each is multiplied by: lr * size."""
        return [float(g["lr"]) * direction.size(p, g) for p, g in zip(self.params, self.groups, strict=True)]

    def take(self, indices: Sequence[int]) -> Moved:
        """Return the same of some parameters only."""

        def some(values: list[T]) -> list[T]:
            return [values[i] for i in indices]

        return Moved(some(self.params), some(self.grads), some(self.states), some(self.groups), self.among)

    def alike(self, *keys: str) -> Iterator[tuple[tuple[Any, ...], Moved]]:
        """Yield the parameters whose groups have the same values at `keys`, and these values."""
        found: dict[tuple[Any, ...], list[int]] = {}
        values_of: dict[int, tuple[Any, ...]] = {}
        for index, group in enumerate(self.groups):
            if id(group) not in values_of:
                options = (group[key] for key in keys)
                values_of[id(group)] = tuple(tuple(each) if isinstance(each, list) else each for each in options)
            found.setdefault(values_of[id(group)], []).append(index)
        for values, indices in found.items():
            yield values, self if len(found) == 1 else self.take(indices)

    def state(self, entry: str) -> list[Tensor]:
        """Return one entry of all states."""
        return [state[entry] for state in self.states]


@dataclasses.dataclass(frozen=True)
class Direction(ABC):
    """w <- w - lr * size * u, where u is what is called for: a tensor for each gradient. Abstract.

    The fields are the defaults of what a parameter group may say otherwise; `lr` is among them. Their types have the
    limits of both.

    Raises:
        BadInput: a field is beyond the limits of its type.
    """

    lr: NonNegative

    def __post_init__(self) -> None:
        variants.within(self)

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of a parameter group."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "roles"}

    def takes(self, parameter: Tensor, known: Sequence[tuple[str, str]]) -> bool:
        """Return whether it can move a parameter with these names and roles, where its group does not say who does."""
        return True

    def refuses(self, parameter: Tensor) -> str | None:
        """Return why it cannot move a parameter of this shape, even where its group asks for it."""
        return None

    @abstractmethod
    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        """Return the state of a parameter before its first step."""

    @abstractmethod
    def __call__(self, moved: Moved) -> list[Tensor]:
        """Return u of each, the part that lies in this process, and bring the states up to date."""

    def size(self, parameter: Tensor, group: Group) -> float:
        """Return what the learning rate of a parameter is multiplied by."""
        return 1.0

    def metric(self, state: Mapping[str, Tensor], group: Group) -> Tensor | float:
        """Return d of 1/2 sum d (w - v)^2, the distance in which the step is the nearest one: 1 is Euclid's."""
        return 1.0


def is_matrix(parameter: Tensor) -> bool:
    """Return whether `parameter` has rows and columns: [N, 1] and [1, N] are vectors.

    Example:
        >>> import torch
        >>> is_matrix(torch.zeros(8, 8)), is_matrix(torch.zeros(8, 1)), is_matrix(torch.zeros(8))
        (True, False, False)
    """
    return parameter.ndim == 2 and min(parameter.shape) > 1


def has_role(known: Sequence[tuple[str, str]], heads: Sequence[str]) -> bool:
    """Return whether one of the roles is one of `heads`, or one of their kinds."""
    return any(is_within(role, head) for _, role in known for head in heads)
