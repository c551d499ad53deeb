"""How much of an average stays at an update; and the exponential one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..errors import BadInput


class Rule(ABC):
    """Says d of the average a <- d a + (1 - d) w. Abstract."""

    @abstractmethod
    def decay(self, updates: int) -> float:
        """Return d, in [0, 1], of the update that comes after `updates` of them; the first one copies in any case."""


@dataclass(frozen=True)
class EMA(Rule):
    """The exponential moving average: d = min(length, (1 + t) / (10 + t)) after t updates.

    With `length` alone an average that is longer than the run would be little else than the weights of the first steps.
    With the bound it is over about the last tenth of the steps so far, until it has its full length after
    9 length / (1 - length) of them.

    Args:
        length: the largest d, in [0, 1): 0.999 is over about the last thousand steps.

    Raises:
        BadInput: `length` is another number.

    Source:
        The bound is that of `num_updates` in TensorFlow's ExponentialMovingAverage.
        Read: documentation.
        Differs: no.

    Example:
        >>> EMA(0.999).decay(90), EMA(0.5).decay(90)
        (0.91, 0.5)
    """

    length: float

    def __post_init__(self) -> None:
        if not 0 <= self.length < 1:
            raise BadInput(f"An average cannot decay by {self.length}: give a number in [0, 1).")

    def decay(self, updates: int) -> float:
        return min(self.length, (1 + updates) / (10 + updates))
