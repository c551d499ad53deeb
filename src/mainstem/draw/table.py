"""Rows and columns: behind the figures, and for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .words import count, short

LONGEST = 60


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text; `numeric` says which columns are set to the right."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()
    note: str = ""


def of_points(
    title: str, heads: Sequence[str], columns: Sequence[dict[float, float]], rest: str = "metrics.jsonl has every step"
) -> Table:
    """Return a table of curves over their common x, thinned evenly where it would be long: `rest` says who has all.

    Example:
        >>> of_points("t", ["step", "loss"], [{1: 2.5, 2: 2.25}]).rows
        [['1', '2.5'], ['2', '2.25']]
    """
    xs = sorted(set().union(*columns))
    kept = thin(xs)
    rows = [[count(x), *(short(c[x]) if x in c else "" for c in columns)] for x in kept]
    note = f"{len(kept)} of {count(len(xs))} points; {rest}." if len(kept) < len(xs) else ""
    return Table(title, heads, rows, frozenset(range(len(heads))), note)


def thin(values: list[Any], longest: int = LONGEST) -> list[Any]:
    """Return at most `longest` of the values, the first and the last among them.

    Example:
        >>> thin(list(range(10)), 4)
        [0, 3, 6, 9]
    """
    if len(values) <= longest:
        return values
    return [values[round(index * (len(values) - 1) / (longest - 1))] for index in range(longest)]
