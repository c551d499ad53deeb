"""A figure as values, and as the places that a template draws it at.

The curves stand in an SVG that is stretched to whatever width there is; all text stands beside it, in units of the
page, so that it is as large on a phone as on a desk. Places are in percent, or in 0..1000 by 0..300 for curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .beside import Beside, beside
from .scale import Scale, labels
from .table import Table
from .words import Say, as_it_is

Point = tuple[float, float]
T = TypeVar("T")
WIDTH, HEIGHT = 1000.0, 300.0
SERIES = 6
"""Styles for lines that mean different things, `series1` to `series6` in style.css."""

_FEW, _APART = 8, 12.0  # ticks at the curves' own places, and percent between two of them
_ASIDE, _ASIDE_ALL = 0.09, 0.8
"""Between two lines over an axis of names, whose places are 1 apart, and of all lines together at most."""


@dataclass(frozen=True)
class Line:
    """A curve; `style` names its colour and dash in style.css. `dots` draws its points too.

    Over an axis of names nothing joins the points, and `spread` (x, low, high) is drawn as a bar at each.
    """

    name: str
    points: list[Point]
    style: str
    dots: bool = False
    shown: bool = True  # False: no line of its own, but named under the pointer
    spread: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True)
class Band:
    """The area between two curves: (x, low, high)."""

    name: str
    points: list[tuple[float, float, float]]
    style: str
    legend: bool = True


_TALL, _LINE = 220, 14
"""Pixels of a plot's height, as style.css has it, and of a line of its text."""

_BELOW, _ABOVE = 14, -5
"""Where the name of a rule begins, in pixels below its line."""


@dataclass(frozen=True)
class Rule:
    """A horizontal line with its name beside it."""

    name: str
    y: float
    style: str


@dataclass(frozen=True)
class Mark:
    """One point that is meant."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Axis:
    """A scale and what it measures; a `whole` axis counts something.

    `factor`, of a right axis: what a unit of the left one is there. An axis of `names` has the first of them at 0, the
    second at 1 and so on: between two of them there is nothing.
    """

    title: str
    scale: Scale
    factor: float = 1.0
    whole: bool = False
    names: Sequence[str] = ()


def of_names(title: str, names: Sequence[str]) -> Axis:
    """Return an axis of things that have a name and no number.

    Example:
        >>> of_names("place", ["none", "weights"]).scale
        Scale(low=-0.5, high=1.5, log=False)
    """
    return Axis(title, Scale(-0.5, len(names) - 0.5), names=tuple(names))


@dataclass(frozen=True)
class Figure:
    """Everything that one figure shows, and the table behind it; `times` are (x, a time in words) below the axis."""

    key: str
    title: str
    caption: str
    x: Axis
    y: Axis
    table: Table
    right: Axis | None = None
    lines: list[Line] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    times: Sequence[tuple[float, str]] = ()


def view(figure: Figure, say: Say = as_it_is) -> dict[str, Any]:
    """Return the figure's places: what chart.html draws, and `data`, what lies under the pointer, as `say` puts it."""
    return {
        "kind": "chart",
        "figure": figure,
        "x_ticks": _below(figure),
        "y_ticks": _ticks(figure.y, 5, invert=True),
        "right_ticks": _right(figure),
        "times": _apart([(100 * figure.x.scale.place(x), label) for x, label in figure.times]),
        "beside": _beside(figure, say),
        "lines": [_drawn(figure, line) for line in figure.lines if line.shown],
        "bands": [(band, _area(figure, band)) for band in figure.bands],
        "rules": _rules(figure),
        "marks": [(mark, _dot(figure, mark.x, mark.y)) for mark in figure.marks],
        "data": _data(figure, say),
    }


def _drawn(figure: Figure, line: Line) -> tuple[Line, str, str, str]:
    """Return the line with three paths: its curve, its points, and the bars at them."""
    if not figure.x.names:
        return line, _path(figure, line.points), _dots(figure, line), ""
    aside = _aside(figure, line)
    dots = "".join(_dot(figure, x + aside, y) for x, y in line.points)
    ends = [(_xy(figure, x + aside, low), _xy(figure, x + aside, high)) for x, low, high in line.spread]
    return line, "", dots, "".join(f"M{low[0]:.1f} {low[1]:.1f}V{high[1]:.1f}" for low, high in ends)


def _aside(figure: Figure, line: Line) -> float:
    """How far a line's points stand beside the place of their name, so that no two lines lie on each other."""
    shown = [one for one in figure.lines if one.shown]
    apart = min(_ASIDE, _ASIDE_ALL / len(shown))  # many would reach the next name
    return apart * (shown.index(line) - (len(shown) - 1) / 2)


def _beside(figure: Figure, say: Say) -> Beside | None:
    """Where the names of the lines stand to the right of the plot; None where there is no room, or nothing to tell."""
    shown = [line for line in figure.lines if line.shown and line.points]
    if len(shown) < 2 or figure.x.names:
        return None
    return beside([(say(line.name), line.style, 100 * (1 - figure.y.scale.place(line.points[-1][1])))
                   for line in shown])  # fmt: skip


def _ticks(axis: Axis, wanted: int, invert: bool) -> list[tuple[float, str]]:
    ticks = axis.scale.ticks(wanted, axis.whole)
    places = [axis.scale.place(tick) for tick in ticks]
    return [
        (round(100 * (1 - place if invert else place), 2), label)
        for place, label in zip(places, labels(ticks, axis.scale.log), strict=True)
    ]


def _below(figure: Figure) -> list[tuple[float, str]]:
    """Ticks of x; where a logarithmic axis counts something, at the few places that the curves have."""
    if figure.x.names:
        return [(round(100 * figure.x.scale.place(i), 2), name) for i, name in enumerate(figure.x.names)]
    places = {x for line in figure.lines for x, _ in line.points} if figure.x.scale.log and figure.x.whole else set()
    if not 1 < len(places) <= _FEW:
        return _ticks(figure.x, 5, invert=False)
    kept = _apart([(100 * figure.x.scale.place(x), x) for x in sorted(places)])
    words = labels([x for _, x in kept], log=True)
    return [(place, label) for (place, _), label in zip(kept, words, strict=True)]


def _apart(places: Sequence[tuple[float, T]]) -> list[tuple[float, T]]:
    """Return the places, in percent, that are far enough from the one before them."""
    kept: list[tuple[float, T]] = []
    for place, what in places:
        if not kept or place - kept[-1][0] >= _APART:
            kept.append((round(place, 2), what))
    return kept


def _right(figure: Figure) -> list[tuple[float, str]]:
    """Ticks that are round in the right axis's unit, of which a left unit is `factor`."""
    if figure.right is None:
        return []
    left, factor = figure.y.scale, figure.right.factor
    return _ticks(Axis("", Scale(left.low * factor, left.high * factor, left.log)), 5, invert=True)


def _xy(figure: Figure, x: float, y: float) -> tuple[float, float]:
    # What lies far outside is cut where it cannot be seen, so that a browser never draws coordinates of millions.
    height = min(max(1 - figure.y.scale.place(y), -3.0), 4.0)
    return WIDTH * figure.x.scale.place(x), HEIGHT * height


def _path(figure: Figure, points: list[Point]) -> str:
    return "M" + "L".join("{:.1f} {:.1f}".format(*_xy(figure, x, y)) for x, y in points) if len(points) > 1 else ""


def _dot(figure: Figure, x: float, y: float) -> str:
    return "M{:.1f} {:.1f}h0".format(*_xy(figure, x, y))


def _dots(figure: Figure, line: Line) -> str:
    few = line.dots and len(line.points) <= 60
    return "".join(_dot(figure, x, y) for x, y in line.points) if few or len(line.points) == 1 else ""


def _area(figure: Figure, band: Band) -> str:
    if len(band.points) < 2:
        return ""
    upper = [(x, high) for x, _, high in band.points]
    lower = [(x, low) for x, low, _ in reversed(band.points)]
    return _path(figure, upper + lower) + "Z"


def _rules(figure: Figure) -> list[dict[str, Any]]:
    """Rules from the top; their names stand left and right by turns, so that two that are near do not collide.

    A third one near them stands on the other side of its line, or one line of text farther away.
    """
    placed = sorted(((1 - figure.y.scale.place(rule.y), rule) for rule in figure.rules), key=lambda item: item[0])
    within = [(place, rule) for place, rule in placed if 0 <= place <= 1]
    taken: list[tuple[bool, float]] = []
    found = []
    for index, (place, rule) in enumerate(within):
        at, side = place * _TALL, index % 2 == 0
        down, up = [_BELOW + level * _LINE for level in range(3)], [_ABOVE - level * _LINE for level in range(3)]
        ways = [way for pair in zip(*((down, up) if place < 0.1 else (up, down)), strict=True) for way in pair]
        free = [
            (right, dy) for dy in ways if _LINE <= at + dy <= _TALL for right in (side, not side)
            if all(right != other or abs(at + dy - base) >= _LINE for other, base in taken)
        ]  # fmt: skip
        right, dy = free[0] if free else (side, ways[0])
        taken.append((right, at + dy))
        found.append({"rule": rule, "y": round(100 * place, 2), "right": right, "dy": dy})
    return found


def _data(figure: Figure, say: Say) -> dict[str, Any]:
    def digits(value: float, many: int = 5) -> float:
        return float(f"{value:.{many}g}")

    many = 9 if figure.x.whole else 5  # a step is shown with all its digits
    scale = figure.x.scale
    return {
        "x": [scale.low, scale.high, scale.log], "y": [figure.y.scale.low, figure.y.scale.high, figure.y.scale.log],
        "title": say(figure.x.title).split(" (")[0].split("（")[0], "whole": figure.x.whole,
        "names": [say(name) for name in figure.x.names],
        "lines": [
            {"name": say(line.name), "style": line.style, "x": [digits(x, many) for x, _ in line.points],
             "y": [digits(y) for _, y in line.points]}
            for line in figure.lines if line.points
        ],
    }  # fmt: skip
