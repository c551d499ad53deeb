"""The slope of a logarithm over depth. It needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the factor a layer, ``exp`` of the least-squares slope of ``log y`` over depth; None below two points.

    Example:
        >>> round(slope([(0, 1.0), (1, 0.5), (2, 0.25)]), 12)
        0.5
    """
    if len(points) < 2:
        return None
    middle = math.fsum(x for x, _ in points) / len(points)
    spread = math.fsum((x - middle) ** 2 for x, _ in points)
    return math.exp(math.fsum((x - middle) * math.log(y) for x, y in points) / spread)
