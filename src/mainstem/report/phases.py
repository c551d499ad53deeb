"""Where the time went."""

from __future__ import annotations

from typing import NamedTuple

from ..draw.table import Table
from ..draw.words import duration, short
from ..runs.metrics import PHASES
from ..wording import several
from .metrics import Metrics


class Part(NamedTuple):
    """A phase's share of the bar; places are percent of its width."""

    name: str
    seconds: float
    share: float
    left: float


class Split(NamedTuple):
    """The bar and the table behind it."""

    parts: list[Part]
    table: Table


def split(curves: Metrics) -> Split | None:
    """Return how the time of the run divides among its phases; None where none was recorded."""
    known = sum(curves.phases.values())
    if known <= 0:
        return None
    seconds = {name: curves.phases[name] for name in PHASES if curves.phases.get(name)}
    rest = (curves.seconds or 0.0) - known
    if rest > 0.005 * known:
        seconds["other"] = rest
    total, left, parts = sum(seconds.values()), 0.0, []
    for name, took in seconds.items():
        parts.append(Part(name, took, took / total, round(100 * left, 3)))
        left += took / total
    steps = max(curves.steps.rows, 1)
    rows = [[part.name, duration(part.seconds), f"{part.share:.1%}", short(1000 * part.seconds / steps)]
            for part in parts]  # fmt: skip
    title = f"Time over {several(curves.steps.rows, 'step')}"
    return Split(parts, Table(title, ["phase", "time", "share", "ms a step"], rows, frozenset({1, 2, 3})))
