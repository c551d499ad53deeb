"""The figures of a run."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left

from ..draw.chart import Axis, Band, Figure, Line, Mark, Point, Rule
from ..draw.scale import Scale, around
from ..draw.table import of_points
from ..draw.words import clock, count, short, visible
from ..runs.metrics import number
from .headline import best_of, title, yardsticks
from .source import Source, mapping

_SETTLING = 0.06
"""Share of the steps at the start whose training loss may lie above the figure."""

_ENOUGH = 60
"""Points that must be left then; a shorter run is shown whole."""

_LONG = 200
"""Points of a training loss from which on it is drawn smoothed too."""

_SHORT, _TIMES, _APART = 30.0, 6, 0.12
"""Seconds of a run from which on its times stand below the axis, how many at most, and how far apart at least."""

_ROUND = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 18000.0, 43200.0, 86400.0)

_MATRICES = "Muon: matrices of attention and feed-forward"
_OTHERS = "AdamW: all others"

_REACH = 0.5
"""How far above the curves, as a share of their range, a yardstick may be and have the axis go up to it."""


def nats_per_bit(source: Source) -> float | None:
    """Return how many nats per token one bit per byte is: ln 2 times bytes per token."""
    each = number(source.facts.get("bytes_per_token"))
    if each is not None and each > 0:
        return math.log(2) * each
    best = source.metrics.best
    return best.value / best.bits if best is not None and best.bits else None


def loss(source: Source) -> Figure | None:
    """Training and held-out loss over steps, the gap between them, yardsticks and the best step."""
    curves = source.metrics
    training, held = curves.steps.points("loss"), curves.evaluations.points("held_out")
    if not training and not held:
        return None
    seen = curves.evaluations.points("train")
    factor = nats_per_bit(source)
    rules = [
        Rule(f"{name} {bits:.2f}", bits * factor, name)  # the axis on the right has the unit
        for name, bits in yardsticks(source).items() if factor is not None
    ]  # fmt: skip
    best, penalty = best_of(source), curves.steps.points("penalty")
    x = step_axis(source)
    y = loss_scale(x, training, held + seen, [rule.y for rule in rules])
    lines = training_lines(training)
    if seen:
        lines.append(Line(f"training {source.data}, without noise", seen, "seen", dots=True))
    lines += [Line("held-out", held, "held", dots=True), Line("penalty", penalty, "seen", shown=False)]
    below = f"training {source.data}" if seen else "training loss"
    bands = [around_steps(source),
             Band(f"gap: held-out less {below}", between(seen or training, held), "gap")]  # fmt: skip
    heads = ["step", "training", f"training {source.data}", "held-out", "gap"]
    gaps = curves.evaluations.points("gap")
    return Figure(
        "loss", "Training and held-out loss", _loss_caption(training, y, held, source.data if seen else None, rules),
        x, Axis(f"loss ({source.score.unit})", y),
        of_points(f"Loss in {source.score.unit}", heads, _table_columns(training, seen, held, gaps)),
        right=None if factor is None else Axis("bits per byte", y, 1 / factor),
        lines=[line for line in lines if line.points], bands=[band for band in bands if band.points], rules=rules,
        marks=[Mark(f"best: {one.value:.4f} at step {count(one.step)}", one.step, one.value) for one in [best] if one],
        times=times(source),
    )  # fmt: skip


def training_lines(training: list[Point]) -> list[Line]:
    """Return the training loss as it went, and smoothed where there are many steps of it."""
    lines = [Line("training, as it went", training, "train")]
    if len(training) >= _LONG:
        lines.append(Line("training, smoothed", smoothed(training), "smooth"))
    return lines


def around_steps(source: Source) -> Band:
    """Return the training loss from the smallest to the largest of the steps that one point of the curve is of."""
    ends = [
        (bin.x, low, high) for bin in source.metrics.steps
        if bin.rows > 1 and (low := bin.low("loss")) is not None and (high := bin.high("loss")) is not None
    ]  # fmt: skip
    return Band("smallest to largest of neighbouring steps", ends, "train", legend=bool(ends))


def smoothed(points: list[Point]) -> list[Point]:
    """Return the points, each the mean of a fortieth of all of them around it; of fewer near the ends.

    Example:
        >>> smoothed([(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)])
        [(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)]
    """
    reach, sums = len(points) // 80, [0.0]
    for _, y in points:
        sums.append(sums[-1] + y)
    found = []
    for i, (x, _) in enumerate(points):
        side = min(reach, i, len(points) - 1 - i)
        found.append((x, (sums[i + side + 1] - sums[i - side]) / (2 * side + 1)))
    return found


def times(source: Source) -> list[tuple[float, str]]:
    """Return the steps at which round times had passed since the start, where a run took half a minute or more."""
    taken = source.metrics.steps.points("seconds")
    last = taken[-1][1] if taken else 0.0
    if last < _SHORT:
        return []
    by_time = [(seconds, step) for step, seconds in taken]
    x = step_axis(source).scale
    for apart in (*_ROUND, *(_ROUND[-1] * i for i in range(2, 400))):
        found = [(at(by_time, apart * i), clock(apart * i)) for i in range(1, int(last / apart) + 1)]
        gaps = [x.place(b) - x.place(a) for (a, _), (b, _) in itertools.pairwise(found)]
        if len(found) <= _TIMES and min(gaps, default=1.0) >= _APART:
            return found
    return []


def gap(source: Source) -> Figure | None:
    """The gap over steps, and its interval."""
    points, band = source.metrics.evaluations.points("gap"), interval(source)
    if not points:
        return None
    y = around([*(end for _, *ends in band for end in ends), 0.0])
    columns = [dict(points), {x: low for x, low, _ in band}, {x: high for x, _, high in band}]
    return Figure(
        "gap", "Gap", f"{title(source.score)} less the same on training {source.data}, both without noise; the band is "
        "its 95% interval. The windows are the same at every pass, so changes are surer than the height.",
        step_axis(source), Axis(source.score.unit, y), of_points("Gap", ["step", "gap", "from", "to"], columns),
        lines=[Line("gap", points, "held", dots=True)], bands=[Band("95% interval", band, "gap")],
        rules=[Rule("no gap", 0.0, "unigram")],
    )  # fmt: skip


def interval(source: Source) -> list[tuple[float, float, float]]:
    """Return the 95% interval of the gap at every pass."""
    ends = ((bin.x, bin.mean("gap_low"), bin.mean("gap_high")) for bin in source.metrics.evaluations)
    return [(x, low, high) for x, low, high in ends if low is not None and high is not None]


def rate(source: Source) -> Figure | None:
    """The learning rate over steps: both of them where Muon takes the matrices and AdamW what is left."""
    points = source.metrics.steps.points("lr")
    if not points:
        return None
    section = source.section("optim")
    said, peak, muon = section.get("schedule"), number(section.get("lr")), number(section.get("muon_lr"))
    schedule = mapping(said).get("name", said if isinstance(said, str) else None)
    if section.get("name") != "muon" or not peak or not muon:
        caption = visible(
            f"Schedule {schedule}, peak {short(peak)}." if schedule and peak else "As it was at each step."
        )
        return _simple(source, "rate", "Learning rate", caption, "learning rate", points, "lr")
    both = [(x, y * muon / peak) for x, y in points]
    return Figure(
        "rate", "Learning rate",
        visible(f"Schedule {schedule}, peaks {short(muon)} (Muon) and {short(peak)} (AdamW)."), step_axis(source),
        Axis("learning rate", around([y for _, y in [*points, *both]], zero=True)),
        of_points("Learning rate", ["step", "Muon", "AdamW"], [dict(both), dict(points)]),
        lines=[Line(_MATRICES, both, "series1"), Line(_OTHERS, points, "series2")],
    )  # fmt: skip


def speed(source: Source) -> Figure | None:
    """Tokens, or what a task counts, a second over steps."""
    points = [
        (bin.x, done / took)
        for bin in source.metrics.steps
        if (done := bin.mean("done")) is not None and (took := bin.mean("took")) is not None
    ]
    caption = "Training alone: data, forward, backward and update. Evaluating and saving stand under Time."
    unit = f"{source.counted} per second"
    return _simple(source, "speed", "Speed", caption, unit, points, "speed") if points else None


def gradient(source: Source) -> Figure | None:
    """The norm of all gradients together over steps, before clipping."""
    points = [(x, y) for x, y in source.metrics.steps.points("grad_norm") if y > 0]
    if not points:
        return None
    clip = number(source.section("optim").get("clip"))
    rules = [Rule(f"clipped at {short(clip)}", clip, "unigram")] if clip else []
    y = around([y for _, y in points] + [rule.y for rule in rules], log=True)
    return Figure(
        "gradient", "Gradient norm", "The norm over all parameters, before clipping.", step_axis(source),
        Axis("norm", y), of_points("Gradient norm", ["step", "norm"], [dict(points)]),
        lines=[Line("gradient norm", points, "grad")], rules=rules,
    )  # fmt: skip


def update(source: Source) -> Figure | None:
    """The median update-to-weight ratio over the steps that were measured."""
    points = [(x, y) for x, y in source.metrics.steps.points("update_ratio") if y > 0]
    adam = source.section("optim").get("name") == "adamw"
    caption = "RMS of a step's change over RMS of the weights, the median over all matrices"
    caption += "; with AdamW about 1e-3 is usual." if adam else "."
    return _measured(source, "update", "Update to weight", caption, "ratio", points)


def slope(source: Source) -> Figure | None:
    """The gradient's factor a residual on the way back, over the steps that were measured."""
    points = [(x, y) for x, y in source.metrics.steps.points("gradient_slope") if y > 0]
    caption = "From one residual to the one before it; below 1 gradients vanish with depth, above 1 they explode."
    return _measured(source, "slope", "Gradient slope", caption, "factor a residual", points)


def _measured(source: Source, key: str, title: str, caption: str, unit: str, points: list[Point]) -> Figure | None:
    if not points:
        return None
    table = of_points(title, ["step", unit], [dict(points)])
    scale = around([y for _, y in points], log=True)
    line = Line(unit, points, "grad", dots=True)
    return Figure(key, title, caption, step_axis(source), Axis(unit, scale), table, lines=[line])


def _simple(source: Source, key: str, title: str, caption: str, unit: str, points: list[Point], style: str) -> Figure:
    scale = around([y for _, y in points], zero=True)
    table = of_points(title, ["step", unit], [dict(points)])
    line = Line(unit, points, style)
    return Figure(key, title, caption, step_axis(source), Axis(unit, scale), table, lines=[line])


def step_axis(source: Source) -> Axis:
    """Return the axis of all steps that were taken."""
    last = max(source.metrics.last_step, 1)
    return Axis("step", Scale(0.0, float(last)), whole=True)


def loss_scale(x: Axis, training: list[Point], passes: list[Point], rules: list[float]) -> Scale:
    """An axis that need not show the first losses, which are those of a model that knows nothing."""
    settled = [y for at, y in training if x.scale.place(at) >= _SETTLING]
    shown = settled if len(settled) >= _ENOUGH else [y for _, y in training]
    curves = [*shown, *(y for _, y in passes)]
    low, high = min(curves), max(curves)
    span = high - low
    return around([*curves, *(rule for rule in rules if low - span <= rule <= high + _REACH * span)])


def _loss_caption(training: list[Point], scale: Scale, held: list[Point], seen: str | None, rules: list[Rule]) -> str:
    if not held:
        how = "There is no held-out pass yet."
    elif seen:
        how = f"The gap is taken between two passes without noise, over held-out and over training {seen}."
    else:
        how = "The gap is drawn against the training loss, which is taken with noise."
    if above := [y for _, y in training if y > scale.high]:
        how += f" The first steps, from {short(max(above))} down, lie above the figure."
    for rule in rules:
        if not scale.low <= rule.y <= scale.high:
            side = "above" if rule.y > scale.high else "below"
            how += f" The line of {rule.name} bits per byte lies {side} the figure."
    return how


def between(below: list[Point], above: list[Point]) -> list[tuple[float, float, float]]:
    """Return the area from one curve, interpolated, to the points of another."""
    if not below:
        return []
    return [(x, at(below, x), y) for x, y in above]


def at(points: list[Point], x: float) -> float:
    """Return a curve's value at x, interpolated; beyond its ends the value there.

    Example:
        >>> at([(0.0, 1.0), (2.0, 3.0)], 0.5), at([(0.0, 1.0), (2.0, 3.0)], 9.0)
        (1.5, 3.0)
    """
    index = bisect_left(points, (x, -math.inf))
    if index == 0 or index == len(points):
        return points[min(index, len(points) - 1)][1]
    (x0, y0), (x1, y1) = points[index - 1], points[index]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y1


def _table_columns(
    training: list[Point], seen: list[Point], held: list[Point], gaps: list[Point]
) -> list[dict[float, float]]:
    """Columns over the steps of held-out passes, where there are some; over those of training otherwise."""
    if not held:
        return [dict(training), {}, {}, {}]
    there = {x: at(training, x) for x, _ in held} if training else {}
    return [there, dict(seen), dict(held), dict(gaps)]
