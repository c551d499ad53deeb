"""The figures of a run whose score is no loss: what it minimised, and what it is judged by, each in its own unit."""

from __future__ import annotations

from ..draw.chart import Axis, Band, Figure, Line, Mark
from ..draw.scale import around
from ..draw.table import of_points
from ..draw.words import count, short
from .figures import around_steps, between, loss_scale, step_axis, times, training_lines
from .headline import best_of, title
from .source import Source


def training(source: Source) -> Figure | None:
    """The training loss over steps."""
    points = source.metrics.steps.points("loss")
    if not points:
        return None
    x = step_axis(source)
    y = loss_scale(x, points, [], [])
    caption = "As it went, with noise where there is some."
    if above := [value for _, value in points if value > y.high]:
        caption += f" The first steps, from {short(max(above))} down, lie above the figure."
    band = around_steps(source)
    return Figure(
        "loss", "Training loss", caption, x, Axis("loss", y),
        of_points("Training loss", ["step", "loss"], [dict(points)]),
        lines=training_lines(points), bands=[band] if band.points else [], times=times(source),
    )  # fmt: skip


def held(source: Source) -> Figure | None:
    """The score of held-out and of training data over steps, the gap between them, and the best step."""
    curves, score, best = source.metrics, source.score, best_of(source)
    found, seen = curves.evaluations.points("held_out"), curves.evaluations.points("train")
    if not found:
        return None
    trained = f"training {source.data}"
    ends = [value for _, value in found + seen] + ([] if best is None else [best.value])
    lines = [Line(f"{trained}, without noise", seen, "seen", dots=True)] if seen else []
    lines.append(Line("held-out", found, "held", dots=True))
    return Figure(
        "score", title(score), f"Passes without noise; {score.best}.", step_axis(source),
        Axis(score.unit, around(ends)),
        of_points(title(score), ["step", trained, "held-out"], [dict(seen), dict(found)]), lines=lines,
        bands=[Band(f"gap: held-out less {trained}", between(seen, found), "gap")] if seen else [],
        marks=[Mark(f"best: {one.value:.4f} at step {count(one.step)}", one.step, one.value) for one in [best] if one],
    )  # fmt: skip
