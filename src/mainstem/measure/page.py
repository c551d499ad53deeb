"""Everything that a watch measured, as one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..draw import figure_page
from ..draw.chart import Axis, Figure, Line
from ..draw.scale import Scale, around
from ..draw.table import Table, thin
from ..draw.words import count, visible
from . import figure
from .quantity import QUANTITIES
from .quantity.calibration import Calibration
from .table import HEADS, number, rows

if TYPE_CHECKING:
    from .watch import Watch


def page(watch: Watch, title: str, about: str, command: str | None = None, more: Sequence[Figure] = ()) -> str:
    """Return the page: what is wrong, the numbers, a figure of each quantity and `more`, and the command."""
    drawn = [figure.of(kind, watch.results.get(kind.name, {}), watch.slope if kind.name == "gradient_flow" else None)
             for kind in QUANTITIES]  # fmt: skip
    # A quantity with one number for the whole model has nothing to draw.
    figures = [found for found in drawn if found is not None and len(found.lines[0].points) > 1]
    cells = [[visible(cell, limit=200) for cell in row] for row in rows(watch)]
    return figure_page.render(figure_page.Page(
        visible(title, limit=100), visible(about, limit=400),
        [(visible(f.fault.capitalize()), visible(f.evidence, limit=1000), visible(f.remedy)) for f in watch.diagnose()],
        Table("Numbers", HEADS, cells, frozenset({2, 4})), [*figures, *more],
        None if command is None else visible(command, limit=8000),
    ))  # fmt: skip


def reliability(found: Calibration) -> Figure:
    """Return the reliability diagram: share right over confidence."""
    points = [(sure, right) for sure, right, _ in found.bins]
    cells = [[number(sure), number(right), count(many)] for sure, right, many in found.bins]
    return Figure(
        "calibration", "Calibration",
        f"Share right over confidence of the likeliest class; ECE {number(found.ece)}. On the diagonal it is as sure "
        "as it is right. Source: 1706.04599.",
        Axis("confidence", Scale(0.0, 1.0)), Axis("share right", Scale(0.0, 1.0)),
        Table("Calibration", ["confidence", "share right", "predictions"], cells, frozenset({0, 1, 2})),
        lines=[Line("as sure as right", [(0.0, 0.0), (1.0, 1.0)], "unigram"), Line("model", points, "held", dots=True)],
    )  # fmt: skip


def positions(losses: Sequence[float], train: float, held_out: float, low: float, high: float) -> Figure:
    """Return held-out loss by position of the window; the caption has the gap and the ends of its 95% interval."""
    points = [(float(at), value) for at, value in enumerate(losses) if math.isfinite(value)]
    cells = [[count(at), number(value)] for at, value in thin(points, 200)]
    return Figure(
        "position", "Held-out loss by position",
        f"Mean loss at each position of the windows that were measured. In them: training text {number(train)}, "
        f"held-out {number(held_out)}, both in eval mode; gap {number(held_out - train)} nats per token, "
        f"95% interval {number(low)} to {number(high)}.",
        Axis("position", Scale(0.0, max(1.0, len(losses) - 1.0)), whole=True),
        Axis("loss (nats per token)", around([y for _, y in points])),
        Table("Held-out loss by position", ["position", "nats per token"], cells, frozenset({0, 1})),
        lines=[Line("held-out loss", points, "held")],
    )  # fmt: skip
