"""What was chosen for a run, alone or beside half and twice the time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..config.wrapping import columns, fill
from .console import clock
from .lines import WIDTH

_TITLE, _VALUE = 10, 12

_BASIS = r" \([^()]*\)$"
"""Where a reason says how that is known."""


def lines(known: Mapping[str, Any], width: int = WIDTH - 1) -> list[str]:
    """Return what facts.json knows of a choice as lines: each decision, the same at half and twice the time, and why.

    None fills a screen of `WIDTH` columns, which would begin another one, or be folded there once more.

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
    return [*(line for row in rows for line in _row(row, width)), *_beside(known, width)]


def brief(known: Mapping[str, Any], width: int = WIDTH) -> list[str]:
    """Return the same for a screen: each decision about a field and why, which mostly fits into one line.

    How a reason is known is left out where it takes a line more.

    Example:
        >>> known = {"budget": 60.0, "given": ["train.batch"], "half": {}, "twice": {},
        ...          "decisions": [{"title": "size", "values": {"model.layers": 4}, "said": "4 x 128",
        ...                         "why": "900 steps fit (measured)"}]}
        >>> print("\\n".join(brief(known, 34)))
        chosen    for 1:00  because
        size      4 x 128   900 steps fit
        given     train.batch
    """
    decided = [one for one in known["decisions"] if one["values"]]
    rows = [("chosen", f"for {clock(known['budget'])}", "because")]
    rows += [(one["title"], one["said"], one["why"]) for one in decided]
    indent = _TITLE + 2 + max(len(said) for _, said, _ in rows)
    found = []
    for title, said, why in rows:
        head = (title.ljust(_TITLE) + said).ljust(indent)
        reason = why if columns(head + why) <= width else re.sub(_BASIS, "", why)
        found += _folded(head.rstrip(), reason, indent, width)
    return [*found, *_beside(known, width)]


def _beside(known: Mapping[str, Any], width: int) -> list[str]:
    """Return what there is to say about all decisions: a doubt, and the fields that were given."""
    found = []
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
    return fill(text, width, head.ljust(indent), indent)
