"""What was measured, as text of 80 columns. May import its neighbours here, and `draw` for its words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..draw.words import short
from .quantity import QUANTITIES

if TYPE_CHECKING:
    from .watch import Watch

HEADS = ("quantity", "unit", "smallest", "at", "largest", "at")


def rows(watch: Watch) -> list[list[str]]:
    """Return a row for each quantity that has numbers: name, unit, smallest and where, largest and where."""
    found = []
    results = watch.results
    for kind in QUANTITIES:
        numbers = {tap: value for tap, value in results.get(kind.name, {}).items() if not math.isnan(value)}
        if kind.name in results and not numbers:
            found.append([kind.name, kind.unit, "nan", "", "nan", ""])
        elif numbers:
            low, high = min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)
            found.append([kind.name, kind.unit, number(numbers[low]), low, number(numbers[high]), high])
        if kind.name == "gradient_flow" and watch.slope is not None:
            found.append(["gradient_slope", "x a layer back", number(watch.slope), "", "", ""])
    return found


def table(watch: Watch, width: int = 80) -> str:
    """Return the rows set in columns, at most `width` wide; what was measured is said where it is nothing."""
    lines = [HEADS, *rows(watch)]
    if len(lines) == 1:
        return "Nothing was measured: call the model inside the `with`."
    wide = [max(len(line[column]) for line in lines) for column in (0, 1, 2, 4)]
    room = max(6, (width - sum(wide) - 5) // 2)
    return "\n".join(
        f"{a:<{wide[0]}} {b:<{wide[1]}} {c:>{wide[2]}} {_cut(d, room):<{room}} {e:>{wide[3]}} {_cut(f, room)}"
        .rstrip()[:width] for a, b, c, d, e, f in lines
    )  # fmt: skip


def number(value: float) -> str:
    """Return four digits, or the word for what is none.

    Example:
        >>> number(float("inf")), number(0.25)
        ('inf', '0.25')
    """
    return short(value) if math.isfinite(value) else str(value)


def _cut(name: str, room: int) -> str:
    return name if len(name) <= room else "…" + name[-(room - 1) :]
