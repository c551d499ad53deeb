"""The schedule that stays at the peak."""

from __future__ import annotations

from dataclasses import dataclass

from .schedule import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """1, from the end of the warm-up on.

    Example:
        >>> Constant()(5, 1, 10)
        1.0
    """

    def __call__(self, step: float, start: int, steps: int) -> float:
        return 1.0
