"""What was chosen for a run, and what half and twice the time would change, in a table. May import `lines`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .console import clock
from .lines import WIDTH, columns

_TITLE, _VALUE = 10, 12


def lines(known: Mapping[str, Any], width: int = WIDTH) -> list[str]:
    """Return what facts.json knows of a choice as lines: each decision, the same at half and twice the time, and why.

    Example:
        >>> known = {"budget": 60.0, "given": [], "half": {"size": "2 x 64"}, "twice": {"size": "4 x 192"},
        ...          "decisions": [{"title": "size", "said": "4 x 128", "why": "900 steps fit"}]}
        >>> print("\\n".join(lines(known)))
        chosen    1:00        0:30        2:00        because
        size      4 x 128     2 x 64      4 x 192     900 steps fit
    """
    budget = known["budget"]
    rows = [("chosen", *(clock(budget * factor) for factor in (1, 0.5, 2)), "because")]
    for decision in known["decisions"]:
        title, said = decision["title"], decision["said"]
        others = (known[time].get(title, said) for time in ("half", "twice"))
        rows.append((title, said, *others, decision["why"]))
    found = [line for row in rows for line in _row(row, width)]
    if known.get("doubt"):
        found += _folded("but", known["doubt"], _TITLE, width)
    if known["given"]:
        found += _folded("given", ", ".join(known["given"]), _TITLE, width)
    return found


def _row(cells: tuple[str, ...], width: int) -> list[str]:
    title, *values, why = cells
    head = title.ljust(_TITLE) + "".join(value.ljust(_VALUE - 1) + " " for value in values)
    return _folded(head.rstrip(), why, len(title.ljust(_TITLE)) + _VALUE * len(values), width)


def _folded(head: str, text: str, indent: int, width: int) -> list[str]:
    """Return `head` and, from column `indent` on, the words of `text` in lines below each other."""
    found, line = [], head.ljust(indent)
    for word in text.split():
        if columns(line) + columns(word) > width and line.strip():
            found.append(line.rstrip())
            line = " " * indent
        line += f"{word} "
    return [*found, line.rstrip()]
