"""The stream and its gradient by depth, at several steps of training."""

from __future__ import annotations

from collections.abc import Callable

from ..draw.chart import Axis, Figure, Line, Point
from ..draw.scale import Scale, around
from ..draw.table import Table, thin
from ..draw.words import count, short
from ..slope import slope
from .metrics import Snapshot
from .source import Source

SHADES = 6


def stream(source: Source) -> Figure | None:
    """The stream's root mean square by depth."""
    return _figure(
        source, "stream", "The stream by depth", "root mean square of the stream", lambda snapshot: snapshot.stream,
        lambda first, last, factor: (
            f"it ends {short(last / first)} times as large as it begins, a factor of {short(factor)} a residual"
        ),
    )  # fmt: skip


def gradient(source: Source) -> Figure | None:
    """The root mean square of the loss's gradient by depth."""
    return _figure(
        source, "flow", "The gradient by depth", "root mean square of the gradient", lambda snapshot: snapshot.gradient,
        lambda first, last, factor: (
            f"what arrives at the input is {short(first / last)} times what leaves the output, "
            f"a factor of {short(1 / factor)} a residual on the way back"
        ),
    )  # fmt: skip


def _figure(
    source: Source,
    key: str,
    title: str,
    unit: str,
    take: Callable[[Snapshot], list[float | None]],
    say: Callable[[float, float, float], str],
) -> Figure | None:
    every = [(snapshot.step, _points(take(snapshot))) for snapshot in source.metrics.snapshots]
    every = [(step, points) for step, points in every if points]
    if not every:
        return None
    chosen = thin(every, SHADES)
    lines = [Line(f"step {count(step)}", points, f"shade{_shade(index, len(chosen))}", dots=True)
             for index, (step, points) in enumerate(chosen)]  # fmt: skip
    values = [y for _, points in chosen for _, y in points]
    deepest = max(x for _, points in chosen for x, _ in points)
    step, points = every[-1]
    factor = slope(points)
    said = ""
    if factor is not None:
        said = f" At step {count(step)} {say(points[0][1], points[-1][1], factor)}."
    return Figure(
        key, title, f"0 is the opened stream, l the stream after residual l.{said}",
        Axis("residual", Scale(0.0, max(deepest, 1.0)), whole=True), Axis(unit, around(values, log=True)),
        _table(title, chosen, unit), lines=lines,
    )  # fmt: skip


def _points(values: list[float | None]) -> list[Point]:
    return [(float(depth), value) for depth, value in enumerate(values) if value is not None and value > 0]


def _shade(index: int, number: int) -> int:
    return SHADES - 1 if number == 1 else round(index * (SHADES - 1) / (number - 1))


def _table(title: str, chosen: list[tuple[int, list[Point]]], unit: str) -> Table:
    depths = sorted({x for _, points in chosen for x, _ in points})
    columns = [dict(points) for _, points in chosen]
    kept = thin(depths, 200)
    rows = [[count(x), *(short(column[x]) if x in column else "" for column in columns)] for x in kept]
    heads = ["residual", *(f"step {count(step)}" for step, _ in chosen)]
    note = f"{len(kept)} of {count(len(depths))} residuals." if len(kept) < len(depths) else ""
    return Table(f"{title}: {unit}", heads, rows, frozenset(range(len(heads))), note)
