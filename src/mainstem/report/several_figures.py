"""One line a group of runs: the mean over its seeds, and a band from the smallest to the largest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..draw.chart import SERIES, Axis, Band, Figure, Line, Point
from ..draw.scale import Scale, around
from ..draw.table import Table, of_points, thin
from ..draw.words import count, short
from ..runs.score import BITS
from .figures import at, interval, loss_scale, nats_per_bit
from .groups import Group
from .headline import title
from .source import Source

Spread = tuple[float, float, float, float]
"""x, the mean over seeds, the smallest and the largest."""

_SMOOTH = 120
"""Points that a noisy curve is drawn with at most: each is the mean of neighbours."""


def figures(groups: Sequence[Group], bits: bool) -> list[Figure]:
    """Return every figure that the runs have numbers for; `bits` takes held-out loss per byte instead of per token."""
    score = groups[0].runs[0].score
    unit, held_title = BITS.unit if bits else score.unit, title(score)
    over = f"A pass over the held-out {groups[0].runs[0].data}, without noise; {score.best}."
    timed = f"{over} Seconds are of the whole run on its machine."
    made = [
        _curves(groups, "held-steps", f"{held_title} over steps", over, "step", unit, lambda run: held(run, bits)),
        _curves(groups, "held-seconds", f"{held_title} over time", timed,
                "seconds", unit, lambda run: _timed(run, bits)),
        _curves(groups, "training", "Training loss over steps",
                "As it went, with noise where there is some; each point is the mean of neighbouring steps.",
                "step", unit if bits or score.is_loss else "loss",
                lambda run: per_byte(run, _smooth(run.metrics.steps.points("loss")), bits), settle=True),
        _gaps(groups, bits),
        _curves(groups, "gradient", "Gradient norm over steps",
                "Over all parameters, before clipping; each point is the geometric mean of neighbouring steps.",
                "step", "norm", lambda run: _smooth(run.metrics.steps.points("grad_norm"), log=True), log=True),
        _curves(groups, "flow", "The gradient by depth, where it was measured last",
                "0 is the opened stream, l the stream after residual l.",
                "residual", "root mean square of the gradient", _by_depth, log=True),
    ]  # fmt: skip
    return [figure for figure in made if figure is not None]


def held(run: Source, bits: bool) -> list[Point]:
    """Return held-out loss over steps, in bits per byte or in nats per token."""
    return per_byte(run, run.metrics.evaluations.points("held_out"), bits)


def per_byte(run: Source, points: list[Point], bits: bool) -> list[Point]:
    """Return a curve in nats per token as it is, or in bits per byte; empty where the run does not say what one is."""
    if not bits:
        return points
    factor = nats_per_bit(run)
    return [(x, y / factor) for x, y in points] if factor else []


def merged(curves: Sequence[list[Point]], log: bool = False) -> list[Spread]:
    """Return mean, smallest and largest of several curves where all of them are, each interpolated to the first's x.

    The mean is the geometric one where `log` is set.

    Example:
        >>> merged([[(0, 1.0), (2, 3.0)], [(0, 3.0), (1, 3.0), (2, 3.0)]])
        [(0, 2.0, 1.0, 3.0), (2, 3.0, 3.0, 3.0)]
    """
    curves = [curve for curve in curves if curve]
    if not curves:
        return []
    low, high = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    if low > high:
        return [(x, y, y, y) for x, y in max(curves, key=len)]
    xs = sorted({x for x, _ in curves[0] if low <= x <= high} | {low, high})
    found = []
    for x in xs:
        values = [at(curve, x) for curve in curves]
        mean = math.fsum(map(math.log, values) if log else values) / len(values)
        found.append((x, math.exp(mean) if log else mean, min(values), max(values)))
    return found


def _curves(
    groups: Sequence[Group], key: str, title: str, caption: str, x_title: str, y_title: str,
    take: Callable[[Source], list[Point]], *, log: bool = False, settle: bool = False,
) -> Figure | None:  # fmt: skip
    spreads = [merged([take(run) for run in group.counted], log) for group in groups[:SERIES]]
    if not any(spreads):
        return None
    drawn = [(group, f"series{i + 1}", points) for i, (group, points) in
             enumerate(zip(groups, spreads, strict=False)) if points]  # fmt: skip
    high = max(x for _, _, points in drawn for x, *_ in points)
    x = Axis(x_title, Scale(0.0, high if high > 0 else 1.0), whole=x_title != "seconds")
    means = [(x_, y) for _, _, points in drawn for x_, y, _, _ in points]
    ends = [(x_, y) for _, _, points in drawn for x_, _, *two in points for y in two]
    scale = loss_scale(x, ends, [], []) if settle else around([y for _, y in ends], log=log)
    several = any(group.seeds > 1 for group in groups)
    if several:
        caption += " Lines are means over seeds, bands go from the smallest to the largest."
    if settle and (above := [y for _, y in means if y > scale.high]):
        caption += f" The first steps, from {short(max(above))} down, lie above the figure."
    return Figure(
        key, title, caption, x, Axis(y_title, scale), _table(title, x_title, drawn),
        lines=[Line(legend(group), [(x, y) for x, y, _, _ in points], style, dots=not settle and key != "gradient")
               for group, style, points in drawn],
        bands=[Band(legend(group), [(x, low, high) for x, _, low, high in points], style, legend=False)
               for group, style, points in drawn if group.seeds > 1],
    )  # fmt: skip


def _gaps(groups: Sequence[Group], bits: bool) -> Figure | None:
    """Return the gap over steps; a configuration of one seed has the gap's own interval for its band."""
    score = groups[0].runs[0].score
    caption = f"{title(score)} less the same on training {groups[0].runs[0].data}, both without noise."
    found = _curves(groups, "gap", "Gap over steps", caption, "step", BITS.unit if bits else score.unit,
                    lambda run: per_byte(run, run.metrics.evaluations.points("gap"), bits))  # fmt: skip
    if found is None:
        return None
    single = [(group, line.style, _ends(group.counted[0], bits)) for group, line in _drawn(groups, found)
              if group.seeds == 1]  # fmt: skip
    bands = [Band(legend(group), ends, style, legend=False) for group, style, ends in single if ends]
    if not bands:
        return found
    every = [y for line in found.lines for _, y in line.points]
    every += [end for band in [*found.bands, *bands] for _, *ends in band.points for end in ends]
    return replace(
        found, caption=f"{found.caption} The band of a single run is its 95% interval.", bands=[*found.bands, *bands],
        y=replace(found.y, scale=around(every)),
    )  # fmt: skip


def _ends(run: Source, bits: bool) -> list[tuple[float, float, float]]:
    """Return the interval of the gap at every pass, in the unit that the figure has."""
    factor = (nats_per_bit(run) if bits else 1.0) or math.inf
    return [(x, low / factor, high / factor) for x, low, high in interval(run)]


def _drawn(groups: Sequence[Group], figure: Figure) -> list[tuple[Group, Line]]:
    named = {legend(group): group for group in groups}
    return [(named[line.name], line) for line in figure.lines]


def legend(group: Group) -> str:
    """Return a group's name, and of how many seeds it is."""
    return group.name if group.seeds == 1 else f"{group.name} ({count(group.seeds)} seeds)"


def _table(title: str, x_title: str, drawn: Sequence[tuple[Group, str, list[Spread]]]) -> Table:
    columns = [{x: y for x, y, _, _ in points} for _, _, points in drawn]
    if x_title == "seconds":  # no two runs share a time, so that one row for each would be mostly empty
        rows = [[group.name, short(x), short(y)] for group, _, points in drawn for x, y, _, _ in thin(points, 60)]
        score = drawn[0][0].runs[0].score
        whole = sum(len(points) for _, _, points in drawn)
        note = f"{count(len(rows))} of {count(whole)} points; {_rest('step')}." if len(rows) < whole else ""
        return Table(title, ["", "seconds", score.title], rows, frozenset({1, 2}), note)
    return of_points(title, [x_title, *(legend(group) for group, _, _ in drawn)], columns, _rest(x_title))


def _rest(what: str) -> str:
    return f"the metrics.jsonl of each run has every {what}"


def _smooth(points: list[Point], log: bool = False) -> list[Point]:
    """Return at most `_SMOOTH` points, each the mean of as many neighbours."""
    if log:
        points = [(x, math.log(y)) for x, y in points if y > 0]
    size = math.ceil(len(points) / _SMOOTH) or 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    found = [(math.fsum(x for x, _ in part) / len(part), math.fsum(y for _, y in part) / len(part)) for part in parts]
    return [(x, math.exp(y)) for x, y in found] if log else found


def _timed(run: Source, bits: bool) -> list[Point]:
    """Return held-out loss over the seconds that the run had taken."""
    factor = nats_per_bit(run) if bits else 1.0
    found = [(bin.mean("seconds"), bin.mean("held_out")) for bin in run.metrics.evaluations]
    points = [(x, y / factor) for x, y in found if x is not None and y is not None and factor]
    return sorted(points)


def _by_depth(run: Source) -> list[Point]:
    for snapshot in reversed(run.metrics.snapshots):
        points = [(float(depth), value) for depth, value in enumerate(snapshot.gradient)
                  if value is not None and value > 0]  # fmt: skip
        if points:
            return points
    return []
