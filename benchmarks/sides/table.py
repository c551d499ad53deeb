"""What the rows of `best.py` come to, as tables of Markdown.

A row has the nats of a whole held-out text; bits per byte are ``nats / ln 2 / bytes``. Of a side on a text at a budget
only rows of the last version that ran there count, and of its settings the better one, as judged at the first seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Row = dict[str, str]
BITS, NATS = "bits per byte", "nats per character"
OTHERS = ("nanogpt", "nanochat", "awd_lstm", "kneser_ney_bytes", "kneser_ney_tokens")
ADAPTIVE = ("kneser_ney_bytes", "kneser_ney_tokens", "ppmd", "zpaq")
LARGE = 3_000_000
"""Bytes of a text, ten times those of its last tenth, from which on a frozen model is also held against zpaq."""


class Cell(NamedTuple):
    """A side on a text: one value for each seed, and the setting that they are of."""

    by_seed: dict[int, float]
    rate: float

    @property
    def mean(self) -> float:
        return statistics.mean(self.by_seed.values())

    def __str__(self) -> str:
        """Return the mean, with the standard deviation over seeds where there are several."""
        values = list(self.by_seed.values())
        return f"{self.mean:.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def _of(row: Row) -> tuple[str, str, str]:
    return row["side"], row["text"], row["budget"]


class Rows:
    """The rows that count."""

    def __init__(self, rows: Sequence[Row]) -> None:
        last = {_of(row): row["version"] for row in rows}
        self.rows = [row for row in rows if row["version"] == last[_of(row)]]
        self.sizes = {row["text"]: int(row["held_bytes"]) for row in self.rows}

    @property
    def texts(self) -> list[str]:
        """Return the texts, smallest first."""
        return sorted(self.sizes, key=lambda text: (self.sizes[text], text))

    @property
    def budgets(self) -> list[float]:
        return sorted({float(row["budget"]) for row in self.rows} - {0.0})

    def cell(self, text: str, side: str, budget: float, kind: str, unit: str = BITS) -> Cell | None:
        """Return what a side reaches, at `budget` or without one; None where no row tells."""
        found: dict[float, dict[int, float]] = {}
        for row in self.rows:
            if row["text"] == text and row["side"] == side and float(row["budget"]) in (budget, 0.0) and row[kind]:
                found.setdefault(float(row["rate"]), {})[int(row["seed"])] = value(row, kind, unit)
        cells = [Cell(by_seed, rate) for rate, by_seed in found.items()]
        return min(cells, key=lambda cell: cell.by_seed[min(cell.by_seed)], default=None)

    def gap(self, text: str, side: str, budget: float, rate: float) -> float:
        """Return the mean over seeds of held-out less training loss, in bits per byte, of one setting of a side."""
        asked = (text, side, budget, rate)
        return statistics.mean(
            float(row["gap"])
            for row in self.rows
            if (row["text"], row["side"], float(row["budget"]), float(row["rate"])) == asked
        )

    def best_other(self, text: str, budget: float) -> tuple[str, Cell] | None:
        """Return the best of the other frozen sides, by its mean."""
        cells = {side: self.cell(text, side, budget, "frozen") for side in OTHERS}
        there = {side: cell for side, cell in cells.items() if cell is not None}
        return min(there.items(), key=lambda item: item[1].mean, default=None)


def value(row: Row, kind: str, unit: str = BITS) -> float:
    """Return a row's ``nats / ln 2 / bytes`` or ``nats / characters`` of the held-out text.

    >>> row = {"frozen": "1000", "held_bytes": "900", "held_characters": "500"}
    >>> round(value(row, "frozen"), 4), value(row, "frozen", NATS)
    (1.603, 2.0)
    """
    nats = float(row[kind])
    return nats / math.log(2) / int(row["held_bytes"]) if unit == BITS else nats / int(row["held_characters"])


def saved(ours: Cell, other: Cell) -> tuple[float, str]:
    """Return the share of the other's bits that ours saves, and the same with its range over the seeds of ours.

    A seed that the other has too is compared with that one, any other with the other's mean.

    >>> saved(Cell({0: 0.9, 1: 0.95}, 0.0), Cell({0: 1.0}, 0.0))
    (0.075, '7.5% (5.0 to 10.0)')
    """
    parts = [1 - value / other.by_seed.get(seed, other.mean) for seed, value in ours.by_seed.items()]
    mean = round(1 - ours.mean / other.mean, 12)
    between = f" ({100 * min(parts):.1f} to {100 * max(parts):.1f})" if len(parts) > 1 else ""
    return mean, f"{100 * mean:.1f}%{between}"


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the tables."""
    found = Rows(rows)
    for budget in found.budgets:
        for unit in (BITS, NATS):
            yield from _frozen(found, budget, unit)
        yield from _reached(found, budget)
        yield from _small(found, budget)
    for unit in (BITS, NATS):
        yield from _adaptive(found, unit)
    for budget in found.budgets:
        yield from _below_zpaq(found, budget)
    yield from _seconds(found)


def _heading(title: str, cells: Sequence[str]) -> list[str]:
    return [f"### {title}", "", f"| {' | '.join(cells)} |", f"|{'---|' * len(cells)}"]


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join('–' if cell is None else str(cell) for cell in cells)} |"


def _frozen(found: Rows, budget: float, unit: str) -> Iterator[str]:
    yield from _heading(f"Frozen, {budget:g} s, {unit}", ["text", "ours", *OTHERS, "fewer bits than the best other"])
    for text in found.texts:
        ours, other = found.cell(text, "ours", budget, "frozen"), found.best_other(text, budget)
        fewer = f"{saved(ours, other[1])[1]} than {other[0]}" if ours and other else None
        yield _row([text, *(found.cell(text, side, budget, "frozen", unit) for side in ("ours", *OTHERS)), fewer])
    yield ""


def _reached(found: Rows, budget: float) -> Iterator[str]:
    shares = []
    for text in found.texts:
        ours, other = found.cell(text, "ours", budget, "frozen"), found.best_other(text, budget)
        if ours and other:
            shares.append(saved(ours, other[1])[0])
    if shares:
        yield (
            f"In {budget:g} s ours has {100 * min(shares):.1f}% fewer bits than the best other frozen side on the "
            f"worst of {len(shares)} texts, and {100 * statistics.median(shares):.1f}% in the median."
        )
        yield ""


def _small(found: Rows, budget: float) -> Iterator[str]:
    """Compare with the best width of the runs without regularization, in bits and in the gap between both parts."""
    begun = False
    for text in found.texts:
        ours, bare = (found.cell(text, side, budget, "frozen") for side in ("ours", "unregularized"))
        if ours is None or bare is None:
            continue
        if not begun:
            title = f"Small data, {budget:g} s, {BITS}"
            yield from _heading(title, ["text", "ours", "best without", "its width", "fewer bits", "gap", "its gap"])
            begun = True
        pair = (("ours", ours), ("unregularized", bare))
        gaps = [f"{found.gap(text, side, budget, cell.rate):.3f}" for side, cell in pair]
        width = f"{bare.rate:.0f}"
        yield _row([text, ours, bare, width, saved(ours, bare)[1], *gaps])
    if begun:
        yield ""


def _adaptive(found: Rows, unit: str) -> Iterator[str]:
    frozen = [f"ours frozen, {budget:g} s" for budget in found.budgets]
    yield from _heading(f"Adaptive, {unit}", ["text", *ADAPTIVE, *frozen])
    for text in found.texts:
        ours = [found.cell(text, "ours", budget, "frozen", unit) for budget in found.budgets]
        yield _row([text, *(found.cell(text, side, 0.0, "adaptive", unit) for side in ADAPTIVE), *ours])
    yield ""


def _below_zpaq(found: Rows, budget: float) -> Iterator[str]:
    below = []
    for text in found.texts:
        ours, zpaq = found.cell(text, "ours", budget, "frozen"), found.cell(text, "zpaq", 0.0, "adaptive")
        if ours and zpaq and found.sizes[text] * 10 >= LARGE:
            below.append(ours.mean < zpaq.mean)
    if below:
        yield (
            f"In {budget:g} s, ours is below zpaq's adaptive number on {sum(below)} of {len(below)} texts of "
            f"{LARGE / 1e6:g} MB or more."
        )
        yield ""


def _seconds(found: Rows) -> Iterator[str]:
    sides = sorted({row["side"] for row in found.rows})
    yield from _heading("CPU seconds over two cores, mean", ["text", "budget", *sides])
    for text in found.texts:
        for budget in [0.0, *found.budgets]:
            there = [row for row in found.rows if row["text"] == text and float(row["budget"]) == budget]
            of = {side: [float(row["seconds"]) for row in there if row["side"] == side] for side in sides}
            if there:
                cells = [f"{statistics.mean(took):.1f}" if took else None for took in of.values()]
                yield _row([text, f"{budget:g}" if budget else "none", *cells])
