"""Means with their intervals by name, one a row: a forest plot.

Each row has its name and its numbers as text, so that a phone shows them above the row and a desk beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .scale import Scale, around, labels
from .table import Table
from .words import Say, as_it_is, short

_WITH = "VALUE (LOW to HIGH)"
"""How a value is written with its interval."""


@dataclass(frozen=True)
class Interval:
    """A value from `low` to `high`, nan where they are not known; `note` stands behind the numbers.

    `region` is what counts as nothing, and is drawn as a shaded part of the row. Where rows are drawn in a common unit
    that is not their own, `shown` are value, low and high as they were measured, in `unit`: those are written.
    """

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    note: str = ""
    region: tuple[float, float] | None = None
    style: str = "series1"
    shown: tuple[float, float, float] | None = None
    unit: str = ""

    @property
    def written(self) -> tuple[float, float, float]:
        """Value, low and high as they are written."""
        return (self.value, self.low, self.high) if self.shown is None else self.shown

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends, where the value has some."""
        known = all(map(math.isfinite, (self.value, self.low, self.high)))
        return (self.low, self.high) if known else None


@dataclass(frozen=True)
class Forest:
    """Rows in one unit, which share an axis with a line at `rule`."""

    key: str
    title: str
    caption: str
    unit: str
    rows: Sequence[Interval]
    rule: float | None = 0.0

    @property
    def scale(self) -> Scale:
        """The axis that holds every row, its region and the rule."""
        found = [y for row in self.rows for y in (row.value, *(row.ends or ()), *(row.region or ()))]
        finite = [y for y in found if math.isfinite(y)]
        return around(finite + ([] if self.rule is None else [self.rule]))

    @property
    def table(self) -> Table:
        """The numbers of every row."""
        own = any(row.shown for row in self.rows)
        rows = [
            [row.name, _text(row.written[0]), *(map(_text, row.written[1:]) if row.ends else ("", "")),
             *([row.unit] if own else []), row.note]
            for row in self.rows
        ]  # fmt: skip
        heads = ["", "difference" if own else self.unit, "from", "to", *(["unit"] if own else []), ""]
        return Table(self.title, heads, rows, frozenset({1, 2, 3}))


def view(forest: Forest, say: Say = as_it_is) -> dict[str, Any]:
    """Return what forest.html draws: places in percent of the width, and the text of each row, as `say` puts it."""
    scale = forest.scale
    ticks = scale.ticks(4)
    return {
        "kind": "forest",
        "figure": forest,
        "x_ticks": [(_percent(scale, x), label) for x, label in zip(ticks, labels(ticks), strict=True)],
        "rule": None if forest.rule is None else _percent(scale, forest.rule),
        "rows": [
            {
                "row": row,
                "text": _said(row, say),
                "at": _percent(scale, row.value) if math.isfinite(row.value) else None,
                "ends": None if row.ends is None else _part(scale, row.ends),
                "region": None if row.region is None else _part(scale, row.region),
            }
            for row in forest.rows
        ],
    }


def _percent(scale: Scale, x: float) -> float:
    return round(100 * scale.place(x), 2)


def _part(scale: Scale, ends: tuple[float, float]) -> tuple[float, float]:
    return _percent(scale, ends[0]), _percent(scale, ends[1])


def _said(row: Interval, say: Say) -> str:
    value, low, high = row.written
    if not math.isfinite(value):
        return say("no number")
    said = f"{short(value)} {say(row.unit)}" if row.unit else short(value)
    if row.ends is None:
        return said
    return say(_WITH).replace("VALUE", said).replace("LOW", short(low)).replace("HIGH", short(high))


def _text(value: float) -> str:
    return short(value) if math.isfinite(value) else ""
