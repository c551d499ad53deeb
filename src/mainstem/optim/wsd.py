"""The schedule that stays and falls late: warm-up, stable, decay."""

from __future__ import annotations

from dataclasses import dataclass

from ..config.sections import Part
from .linear import line
from .schedule import Falling


@dataclass(frozen=True)
class WSD(Falling):
    """x = 1 until the last round(cooldown * steps) steps, which are linear.

    Args:
        cooldown: share of the steps that it falls over. They begin after the warm-up.

    Source:
        Hu et al., "MiniCPM" (arXiv 2404.06395), section 4, with a linear fall in place of an exponential one.
        Read: nothing of the original.
        Differs: a linear fall.

    Example:
        >>> [WSD(cooldown=0.5)(step, 1, 8) for step in (2, 4, 6, 8)]
        [1.0, 1.0, 0.5, 0.0]
    """

    cooldown: Part = 0.3

    def fall(self, step: float, start: int, steps: int) -> float:
        return line(step, self.begins(start, steps), steps)

    def begins(self, start: int, steps: int) -> int:
        """Return the last step of the peak."""
        return max(start, steps - max(1, round(self.cooldown * steps)))
