"""What was measured, as text of 80 columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..draw.words import short
from .quantity import QUANTITIES
from .quantity.flow import SLOPE

if TYPE_CHECKING:
    from .watch import Watch

HEADS = ("quantity", "unit", "smallest", "at", "largest", "at", "normal")
_APART = 3
"""Signs of a beginning that still tell which block it is."""


def rows(watch: Watch) -> list[list[str]]:
    """Return a row for each quantity with numbers: name, unit, smallest and where, largest and where, what is normal.

    Outside of what is normal `diagnose` looks whether something is wrong.
    """
    found = []
    results = watch.results
    for kind in QUANTITIES:
        numbers = {tap: value for tap, value in results.get(kind.name, {}).items() if not math.isnan(value)}
        if kind.name in results and not numbers:
            found.append([kind.name, kind.unit, "nan", "", "nan", "", between(kind.normal)])
        elif numbers:
            low, high = min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)
            found.append([kind.name, kind.unit, number(numbers[low]), low, number(numbers[high]), high,
                          between(kind.normal)])  # fmt: skip
        if kind.name == "gradient_flow" and watch.slope is not None:
            slope = number(watch.slope)
            found.append(["gradient_slope", "x a layer back", slope, "", slope, "", between(SLOPE)])
    return found


def table(watch: Watch, width: int = 80) -> str:
    """Return two lines for each row, at most `width` wide: its numbers, then where they are by the names of taps.

    Where there is no room for all columns, units are left out, then what is normal, then the largest: no number is cut.
    """
    lines = [*rows(watch)]
    if not lines:
        return "Nothing was measured: call the model inside the `with`."
    heads = [HEADS[0], HEADS[1], HEADS[2], "", HEADS[4], "", HEADS[6]]
    wide = {column: max(len(line[column]) for line in [heads, *lines]) for column in (0, 1, 2, 4, 6)}
    shown = [0, 1, 2, 4, 6]
    for column in (1, 6, 4):
        if sum(wide[kept] + 2 for kept in shown) - 2 > width:
            shown.remove(column)
    said = []
    for line in [heads, *lines]:
        _, _, low, at, high, to, _ = line
        one = low == high and at == to
        cells = {**dict(enumerate(line)), 4: "" if one else high}
        said.append("  ".join(f"{cells[each]:{'>' if each in (2, 4) else '<'}{wide[each]}}" for each in shown))
        if at or to:
            said.append(f"  at {cut(at, width - 5)}" if one else f"  {_from(at, to, width - 2)}")
    return "\n".join(line.rstrip()[:width] for line in said)


def _from(at: str, to: str, width: int) -> str:
    """Return "from `at` to `to`"; what one name does not need the other has."""
    room = width - len("from  to ")
    first = cut(at, max(room // 2, room - len(to)))
    return f"from {first} to {cut(to, room - len(first))}"


def between(normal: tuple[float, float] | None) -> str:
    """Return a range in words.

    Example:
        >>> between((0.02, 1.0)), between((1.5, math.inf)), between((0.0, 80.0)), between(None)
        ('0.02 to 1', 'from 1.5', 'up to 80', '')
    """
    if normal is None:
        return ""
    low, high = normal
    if math.isinf(high):
        return f"from {number(low)}"
    return f"{number(low)} to {number(high)}" if low else f"up to {number(high)}"


def number(value: float) -> str:
    """Return four digits, or the word for what is none.

    Example:
        >>> number(float("inf")), number(0.25)
        ('inf', '0.25')
    """
    return short(value) if math.isfinite(value) else str(value)


def cut(name: str, room: int) -> str:
    """Return a name with as much of both its ends as `room` has; whole parts of it, where there is room for some.

    Example:
        >>> cut("blocks.11.attention.branch.query.weight", 26), cut("blocks.11.attention", 12), cut("a.b", 9)
        ('blocks.11…query.weight', 'block…ention', 'a.b')
    """
    if len(name) <= room:
        return name
    parts = name.split(".")
    for left_out in range(1, len(parts) - 1):
        kept = len(parts) - left_out
        head = (kept + 1) // 2
        short = f"{'.'.join(parts[:head])}…{'.'.join(parts[len(parts) - kept + head :])}"
        if len(short) <= room:
            return short
    head = max(1, (room - 1) // 2)
    return f"{name[:head]}…{name[len(name) - (room - 1 - head) :]}" if room > _APART else name[:room]
