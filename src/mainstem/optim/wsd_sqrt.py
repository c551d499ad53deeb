"""The schedule that stays and falls late, fast at first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config.sections import Part
from .schedule import Falling


@dataclass(frozen=True)
class WSDSqrt(Falling):
    """x = 1 until the last `cooldown` of the steps, and 1 - sqrt(t) in them, with t the share of them that is done.

    Args:
        cooldown: share of the steps that it falls over. They begin after the warm-up.

    Source:
        Hägele et al. 2024 (arXiv 2405.18392), the cool-down "1-sqrt", which they found better than a linear one.
        Read: paper, its definition of (1-sqrt); code of the authors (epfml/schedules-and-scaling).
        Differs: no.

    Example:
        >>> [WSDSqrt(cooldown=0.5)(step, 1, 8) for step in (3, 4, 5, 8)]
        [1.0, 1.0, 0.5, 0.0]
    """

    cooldown: Part = 0.2

    def fall(self, step: float, start: int, steps: int) -> float:
        begins = max(start, steps - max(1, round(self.cooldown * steps)))
        return 1.0 - math.sqrt(max(0.0, (step - begins) / (steps - begins)))
