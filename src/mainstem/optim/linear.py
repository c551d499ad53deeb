"""The schedule that falls along a line."""

from __future__ import annotations

from dataclasses import dataclass

from .schedule import Falling


@dataclass(frozen=True)
class Linear(Falling):
    """x = 1 - t, with t the share done of the steps behind the warm-up.

    Example:
        >>> [Linear()(step, 0, 4) for step in (1, 2, 4)]
        [0.75, 0.5, 0.0]
    """

    def fall(self, step: float, start: int, steps: int) -> float:
        return line(step, start, steps)


def line(step: float, start: int, steps: int) -> float:
    """Return 1 at `start` and before it, 0 at `steps`, and between them what lies on the line.

    Example:
        >>> line(1, 2, 4), line(3, 2, 4)
        (1.0, 0.5)
    """
    return 1.0 - max(0.0, (step - start) / (steps - start))
