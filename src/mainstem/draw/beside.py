"""Names beside the ends of curves, none over another."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_APART = 7.5
"""Percent of the height between two names: one line of text in the smallest plot."""

_WIDEST, _WIDE = 250, 170
_SWATCH, _LETTER = 30, 7.0


class Beside(NamedTuple):
    """A column of `width` pixels with (name, style, percent from the top) for each curve."""

    width: int
    names: list[tuple[str, str, float]]

    @property
    def wide(self) -> bool:
        """Whether there is room for it beside a large figure alone."""
        return self.width > _WIDE


def beside(ends: Sequence[tuple[str, str, float]]) -> Beside | None:
    """Return the column for curves (name, style, percent from the top of where it ends).

    None where a name would need more room than such a column has, or all of them more than the plot.

    Example:
        >>> beside([("a", "series1", 50.0), ("b", "series2", 51.0)])
        Beside(width=37, names=[('a', 'series1', 46.75), ('b', 'series2', 54.25)])
    """
    width = round(max(_SWATCH + _LETTER * _letters(name) for name, _, _ in ends))
    if width > _WIDEST or (len(ends) - 1) * _APART > 100 or not all(map(_finite, ends)):
        return None
    order = sorted(range(len(ends)), key=lambda i: ends[i][2])
    places = _spread([min(max(ends[i][2], 0.0), 100.0) for i in order])
    return Beside(width, [(ends[i][0], ends[i][1], round(place, 2)) for i, place in zip(order, places, strict=True)])


def _finite(end: tuple[str, str, float]) -> bool:
    return abs(end[2]) < float("inf")


def _spread(places: list[float]) -> list[float]:
    """Return ascending places moved as little as keeps them apart and within 0 to 100: clusters share their mean."""
    groups: list[tuple[float, int]] = []  # (sum of what their first place would be, how many)
    firsts: list[float] = []
    for place in places:
        groups.append((place, 1))
        firsts.append(place)
        while len(groups) > 1 and firsts[-1] < firsts[-2] + groups[-2][1] * _APART:
            total, number = groups.pop()
            before, more = groups.pop()
            firsts.pop()
            groups.append((before + total - number * more * _APART, more + number))
            firsts[-1] = groups[-1][0] / groups[-1][1]
    found: list[float] = []
    for first, (_, number) in zip(firsts, groups, strict=True):
        found += [first + i * _APART for i in range(number)]
    for i, place in enumerate(found):
        found[i] = max(place, i * _APART)
    for i in reversed(range(len(found))):
        found[i] = min(found[i], 100 - (len(found) - 1 - i) * _APART)
    return found


def _letters(text: str) -> float:
    """Return how many Latin letters wide a text is; those of East Asian scripts are twice as wide."""
    return sum(2.0 if unicodedata.east_asian_width(sign) in "WF" else 1.0 for sign in text)
