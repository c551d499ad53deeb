"""What was measured, as figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import files
from ..draw import figure_page
from ..draw.chart import Axis, Figure, Line
from ..draw.scale import Scale, around
from ..draw.table import Table, thin
from ..draw.words import visible
from ..errors import BadInput
from .quantity import QUANTITIES, Quantity
from .table import number

if TYPE_CHECKING:
    from .watch import Watch


class Drawn(NamedTuple):
    """A figure with the table behind it."""

    figure: Figure
    model: str

    def write_html(self, path: str | Path) -> Path:
        """Write a page that shows the figure and loads nothing, all of it or nothing; return its path."""
        page = figure_page.Page(
            visible(self.figure.title), f"of {visible(self.model, limit=100)}", figures=[self.figure]
        )
        return files.write_text(path, figure_page.render(page))


def figure(watch: Watch, name: str) -> Drawn:
    """Return the figure of the quantity `name`."""
    kinds = {kind.name: kind for kind in QUANTITIES}
    if name not in kinds:
        raise BadInput(f"There is no quantity {name!r}: give one of {', '.join(kinds)}.")
    drawn = of(kinds[name], watch.results.get(name, {}), watch.slope if name == "gradient_flow" else None)
    if drawn is None:
        raise BadInput(f"{name} has no numbers to draw: {_why(watch, kinds[name])}.")
    return Drawn(drawn, type(watch.model).__name__)


def of(kind: type[Quantity], numbers: dict[str, float], slope: float | None = None) -> Figure | None:
    """Return a figure of numbers by tap, in order; None without a finite one."""
    points = [(float(i), value) for i, value in enumerate(numbers.values())
              if math.isfinite(value) and (value > 0 or not kind.log)]  # fmt: skip
    if not points:
        return None
    said = f"{kind.definition[0].upper()}{kind.definition[1:]}. Source: {kind.source}."
    if slope is not None:
        said += f" A factor of {number(slope)} a layer on the way back."
    unit = f"{kind.title.lower()} ({kind.unit})"
    rows = [[str(i), visible(tap, limit=200), number(value)] for i, (tap, value) in enumerate(numbers.items())]
    kept = thin(rows, 300)
    note = f"{len(kept)} of {len(rows)} taps." if len(kept) < len(rows) else ""
    return Figure(
        kind.name, kind.title, said, Axis("tap, in the order of the pass" if not kind.by_depth else "depth (tap)",
        Scale(0.0, max(1.0, len(numbers) - 1.0)), whole=True),
        Axis(unit, around([y for _, y in points], log=kind.log, zero=not kind.log)),
        Table(kind.title, ["", "tap", kind.unit], kept, frozenset({0, 2}), note),
        lines=[Line(kind.title.lower(), points, "shade5", dots=True)],
    )  # fmt: skip


def _why(watch: Watch, kind: type[Quantity]) -> str:
    if watch.results.get(kind.name):
        return "none of them is finite, and positive where the axis is logarithmic; see m.results"
    absent = watch.taps().missing
    if watch.passes:
        for event, tap in (("branch", "branch"), ("linear", "linear"), ("ops", kind.name.partition("_")[0])):
            if event in kind.wants and tap in absent:
                return f"the model has no such tap, as {absent[tap]}"
    if "linear" in kind.wants and watch.record is not None and watch.record.samples.unlike:
        return watch.record.samples.unlike
    if kind.wants & {"gradient", "linear"}:
        return "call the model and backward inside the `with`, with gradients enabled"
    if "update" in kind.wants:
        return "call backward and the optimizer's step inside the `with`"
    return "call the model inside the `with`, and see m.taps() for what it has"
