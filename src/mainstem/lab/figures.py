"""Figures of an experiment's results: the mean over seeds, and the spread of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from ..draw.chart import Axis, Band, Figure, Line, of_names
from ..draw.scale import Scale, around
from ..draw.table import Table, thin
from ..draw.words import short
from .arms import styles
from .result import Results

Spread = tuple[float, float, float, float]
"""x, the mean over seeds, the smallest and the largest."""

MOST = 60
"""Points of a curve: more cannot be told apart, and five curves of so many fit into the table below the figure."""

ROWS = 300
"""Of the table below a figure: of longer lines it has points spread evenly over each, the first and the last."""


def over_cells(
    results: Results, key: str, title: str, caption: str, *, x: str, value: str, x_title: str, y_title: str,
    arms: str = "arm", log: bool = False, log_x: bool = False, names: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """Return a figure of `value` over the place `x` of the cells, one line for each value of the place `arms`.

    Where the places have no order, `names` says what stands at 0, 1 and so on.
    """
    found: dict[str, list[Spread]] = {}
    everything: list[list[float]] = []
    for cell in results.experiment.cells:
        if x in cell.at and arms in cell.at:
            everything.append(results.values(cell.name, value))
            one = spread(float(cell.at[x]), everything[-1], log)
            if one is not None:
                found.setdefault(str(cell.at[arms]), []).append(one)
    return drawn(key, title, _said(caption, everything, log), {arm: sorted(points) for arm, points in found.items()},
                 x_title, y_title, log, log_x, names)  # fmt: skip


def over_curves(
    results: Results, key: str, title: str, caption: str, *, value: str, x_title: str, y_title: str,
    cells: Mapping[str, str], log: bool = False, places: Callable[[int], Sequence[float]] | None = None,
) -> Figure:  # fmt: skip
    """Return a figure of the curve `value` of some cells, `cells` naming each line's cell.

    ``places(n)`` are the x of a curve of n numbers: 0 to n - 1 by default. Of more than `MOST` numbers in a row the
    means of as many up to each point are drawn, geometric ones on a logarithmic axis, and the caption says of how many.
    """
    every = {name: [curve for curve in results.curves(cell, value) if curve] for name, cell in cells.items()}
    shortest = {name: min(map(len, curves)) for name, curves in every.items() if curves}
    each = max(1, -(-max(shortest.values(), default=0) // MOST))
    found: dict[str, list[Spread]] = {}
    everything: list[list[float]] = []
    for name, n in shortest.items():
        xs = [float(i) for i in range(n)] if places is None else list(places(n))
        ends = [min(at + each, n) for at in range(0, n, each)]
        seeds = [[middle(curve[max(0, end - each) : end], log) for curve in every[name]] for end in ends]
        points = [spread(xs[end - 1], values, log) for end, values in zip(ends, seeds, strict=True)]
        found[name] = [point for point in points if point is not None]
        everything += seeds
    if each > 1:
        caption = f"{caption} Each point is the mean of the {each} up to it."
    if any(len(curve) > n for name, n in shortest.items() for curve in every[name]):
        caption = f"{caption} A line ends where the first of its seeds does."
    return drawn(key, title, _said(caption, everything, log), found, x_title, y_title, log)


def middle(values: Sequence[float], log: bool = False) -> float:
    """Return the mean of `values`, the geometric one where `log`; NaN where one of them has none.

    Example:
        >>> middle([1.0, 4.0]), middle([1.0, 4.0], log=True), middle([1.0, 0.0], log=True)
        (2.5, 2.0, nan)
    """
    if not log:
        return math.fsum(values) / len(values)
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if min(values) > 0.0 else math.nan


def drawn(
    key: str, title: str, caption: str, lines: Mapping[str, Sequence[Spread]], x_title: str, y_title: str,
    log: bool = False, log_x: bool = False, names: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """Return a figure of named lines of (x, mean, low, high), the spread over seeds as a band.

    Over `names` in place of numbers it is a point with a bar for each.
    """
    everything = [point for points in lines.values() for point in points]
    xs = [point[0] for point in everything] or [0.0, 1.0]
    ys = [y for point in everything for y in point[1:]]
    low, high = min(xs), max(xs)
    scale = around(xs, log=True, pad=0.03) if log_x else Scale(low, high if high > low else low + 1.0)
    room = max(2, ROWS // max(1, len(lines)))
    rows = [
        [name, names[int(x)] if names else short(x), short(mean), short(a), short(b)]
        for name, points in lines.items() for x, mean, a, b in thin(list(points), room)
    ]  # fmt: skip
    note = "The mean over seeds, and the smallest and the largest of them."
    if len(rows) < len(everything):
        note += f" {len(rows)} of {len(everything):,} points."
    numeric = frozenset({2, 3, 4} if names else {1, 2, 3, 4})
    drawn = [(name, points, style) for (name, points), style in zip(lines.items(), styles(list(lines)), strict=True)]
    return Figure(
        key, title, caption,
        of_names(x_title, names) if names else Axis(x_title, scale, whole=all(x == int(x) for x in xs)),
        Axis(y_title, around(ys or [0.0], log=log)),
        Table(title, ["", x_title, y_title, "smallest", "largest"], rows, numeric, note),
        lines=[Line(name, [(x, y) for x, y, _, _ in points], style, dots=True,
                    spread=[(x, a, b) for x, _, a, b in points] if names else ())
               for name, points, style in drawn],
        bands=[] if names else [
            Band(name, [(x, a, b) for x, _, a, b in points], style, legend=False) for name, points, style in drawn
        ],
    )  # fmt: skip


def spread(x: float, values: Sequence[float], log: bool = False) -> Spread | None:
    """Return x with mean, smallest and largest of the finite values; the geometric mean on a logarithmic axis.

    Example:
        >>> spread(1.0, [1.0, 3.0])
        (1.0, 2.0, 1.0, 3.0)
    """
    finite = _drawable(values, log)
    if not finite:
        return None
    mean = math.fsum(map(math.log, finite) if log else finite) / len(finite)
    return x, math.exp(mean) if log else mean, min(finite), max(finite)


def _drawable(values: Sequence[float], log: bool) -> list[float]:
    return [value for value in values if math.isfinite(value) and (value > 0 or not log)]


def _said(caption: str, everything: Sequence[Sequence[float]], log: bool) -> str:
    """Return the caption of points, each the mean of some values, with a sentence where one of these has no place."""
    whole = all(len(_drawable(values, log)) == len(values) for values in everything)
    return caption if whole else f"{caption} A seed is left out where it has no number that can be drawn."
