"""How a number goes over a training: a function of progress p in [0, 1].

Rates of noise and weight decay go by these; the learning rate has schedules of its own (`optim.schedule`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from .errors import BadInput


def of(step: float, steps: int) -> float:
    """Return the progress in step `step`, from 1, of `steps`: 0 in the first one and 1 in the last.

    Example:
        >>> of(1, 5), of(3, 5), of(1, 1)
        (0.0, 0.5, 0.0)
    """
    return (step - 1) / max(1, steps - 1)


@dataclass(frozen=True)
class Course(ABC):
    """The share s of a number at progress p, between `begin` and `end`. Abstract.

    Args:
        begin: the progress, a share of the training, from which it is on or changes.
        end: the progress up to which it is on or changes.

    Raises:
        BadInput: begin and end are not 0 <= begin < end <= 1.
    """

    begin: Annotated[float, Meta(ge=0, le=1)] = 0.0
    end: Annotated[float, Meta(ge=0, le=1)] = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.begin < self.end <= 1.0:
            raise BadInput(
                f"begin {self.begin} and end {self.end} are shares of a training: give 0 <= begin < end <= 1."
            )

    @abstractmethod
    def at(self, progress: float) -> float:
        """Return s in [0, 1]."""

    @property
    def changes(self) -> bool:
        """Whether s is another number at another progress."""
        return True

    def risen(self, progress: float) -> float:
        """Return min(max((p - begin) / (end - begin), 0), 1)."""
        return min(max((progress - self.begin) / (self.end - self.begin), 0.0), 1.0)


@dataclass(frozen=True)
class Constant(Course):
    """s = 1 where begin <= p <= end, and 0 elsewhere.

    Example:
        >>> [Constant(end=0.5).at(p) for p in (0.0, 0.5, 0.6)]
        [1.0, 1.0, 0.0]
    """

    def at(self, progress: float) -> float:
        return 1.0 if self.begin <= progress <= self.end else 0.0

    @property
    def changes(self) -> bool:
        return self.begin > 0.0 or self.end < 1.0


@dataclass(frozen=True)
class Rising(Course):
    """s = min(max((p - begin) / (end - begin), 0), 1).

    Example:
        >>> [Rising(begin=0.5).at(p) for p in (0.0, 0.75, 1.0)]
        [0.0, 0.5, 1.0]
    """

    def at(self, progress: float) -> float:
        return self.risen(progress)


@dataclass(frozen=True)
class Falling(Course):
    """s = 1 - min(max((p - begin) / (end - begin), 0), 1).

    Example:
        >>> [Falling(end=0.5).at(p) for p in (0.0, 0.25, 1.0)]
        [1.0, 0.5, 0.0]
    """

    def at(self, progress: float) -> float:
        return 1.0 - self.risen(progress)
