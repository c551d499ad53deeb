"""The schedule that falls along half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .schedule import Falling


@dataclass(frozen=True)
class Cosine(Falling):
    """x = (1 + cos(pi t)) / 2, with t the share done of the steps behind the warm-up.

    Source:
        Loshchilov and Hutter, "SGDR" (arXiv 1608.03983), equation 5, without restarts.
        Read: nothing of the original.
        Differs: no restarts.

    Example:
        >>> [round(Cosine()(step, 0, 4), 4) for step in (1, 2, 4)]
        [0.8536, 0.5, 0.0]
    """

    def fall(self, step: float, start: int, steps: int) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * ((step - start) / (steps - start))))
