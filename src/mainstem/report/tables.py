"""Tables of a run: its noise, its tensors, and pairs of names and values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..draw.table import Table
from ..draw.words import count, short, visible
from ..runs.metrics import number
from ..wording import several
from .source import Source

SITES = {
    "embedding": "embedding", "attention_weights": "attention weights", "attention": "attention output",
    "hidden": "feed-forward hidden", "feedforward": "feed-forward output",
}  # fmt: skip


def noise(source: Source) -> Table | None:
    """Return the rate of every site of noise, from the configuration."""
    section = source.section("noise")
    if not section:
        return None
    common = number(section.get("rate"))
    rows = []
    for key, words in SITES.items():
        own = number(section.get(key))
        rows.append([f"dropout, {words}", short(own if own is not None else common or 0.0)])
    rows.append(["stochastic depth, last sublayer (linear from 0)", short(number(section.get("depth")) or 0.0)])
    also = section.get("also")
    for item in also if isinstance(also, list) else [also]:
        if isinstance(item, Mapping):
            fields = [f"{key} {value}" for key, value in item.items() if key not in ("name", "rate")]
            rows.append([", ".join([str(item.get("name")), *fields]), short(number(item.get("rate")) or 0.0)])
    return Table("Noise, in training only", ["site", "rate"], rows, frozenset({1}))


def parameters(source: Source) -> tuple[Table, Table] | None:
    """Return what decays and what is penalised: tensors alike in all but their block as one row, and every tensor."""
    found = source.facts.get("parameters")
    rows = [_row(item) for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    if not rows:
        return None
    heads = ["name", "shape", "role", "decay", "penalties"]
    key = _alike
    grouped: dict[tuple[str, ...], int] = {}
    for row in rows:
        grouped[key(row)] = grouped.get(key(row), 0) + 1
    short_rows = [[alike[0], count(times), *alike[1:]] for alike, times in grouped.items()]
    note = f"The first 2,000 of {count(len(rows))} tensors." if len(rows) > 2000 else ""
    return (
        Table("Weight decay and penalties, by tensor", ["name", "tensors", *heads[1:]], short_rows[:500],
              frozenset({1, 4})),
        Table(f"All {several(len(rows), 'tensor')}", heads, rows[:2000], frozenset({3}), note),
    )  # fmt: skip


def _row(item: dict[str, Any]) -> list[str]:
    shape, penalties, decay = item.get("shape"), item.get("penalties"), number(item.get("decay"))
    listed = penalties if isinstance(penalties, list) else [penalties] if penalties else []
    after = item.get("after")
    listed = [*listed, *(after if isinstance(after, list) else [])]
    return [
        visible(item.get("name", ""), limit=200),
        " × ".join(visible(part, limit=20) for part in shape) if isinstance(shape, list) and shape else "scalar",
        visible(item.get("role", ""), limit=100),
        "no" if not decay else short(decay),
        ", ".join(visible(part, limit=100) for part in listed) or "none",
    ]


def _alike(row: list[str]) -> tuple[str, ...]:
    return (re.sub(r"(?<![^.])\d+(?![^.])", "*", row[0]), *row[1:])


def pairs(title: str, values: dict[str, Any], names: dict[str, str]) -> Table | None:
    """Return names and values: those of `names` first and under its words, the others under their own."""
    keys = [key for key in names if key in values] + [key for key in values if key not in names]
    rows = [[names.get(key, visible(key, limit=60).replace("_", " ")), _value(values[key])] for key in keys]
    rows = [row for row in rows if row[1]]
    return Table(title, ["", ""], rows) if rows else None


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if (found := number(value)) is not None:
        return count(found) if isinstance(value, int) else short(found)
    if isinstance(value, dict):
        return "; ".join(f"{visible(key, limit=60)} {_value(part)}" for key, part in list(value.items())[:40])
    if isinstance(value, list):
        more = f", … ({len(value) - 12} more)" if len(value) > 12 else ""
        return ", ".join(_value(part) for part in value[:12]) + more
    return "" if value is None else visible(value, limit=400)
