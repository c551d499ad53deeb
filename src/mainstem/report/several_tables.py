"""Runs beside each other as rows: what they reached, and what their configurations have differently."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from ..draw.table import Table
from ..draw.words import compact, count, duration, visible
from ..runs.metrics import number
from ..wording import fixed
from . import groups
from .groups import Group
from .headline import best_of, gap_of, status
from .mixture import mixture
from .source import Source


def reached(run: Source, bits: bool) -> float | None:
    """Return the best held-out loss of a run, in bits per byte or in nats per token."""
    best = best_of(run)
    return None if best is None else best.bits if bits else best.value


def values(group: Group, take: Callable[[Source], float | None]) -> list[float]:
    """Return a number of the runs that a group's means are over, of those that have it."""
    return [value for run in group.counted if (value := take(run)) is not None]


_Column = tuple[str, Callable[[Source], float | None], Callable[[float], str]]
_COLUMNS: Sequence[_Column] = (
    ("held-out", lambda run: reached(run, False), lambda y: fixed(y, ".4f")),
    ("bits per byte", lambda run: reached(run, True), lambda y: fixed(y, ".4f")),
    ("best step", lambda run: None if (best := best_of(run)) is None else float(best.step), count),
    ("gap at last", lambda run: None if (gap := gap_of(run)) is None else gap.value, lambda y: fixed(y, ".4f")),
    ("steps", lambda run: float(run.metrics.last_step), count),
    ("time", lambda run: _seconds(run), duration),
    ("parameters", lambda run: number(run.facts.get("num_parameters")), compact),
)
_WITH_COUNTS: _Column = (
    "with counts",
    lambda run: None if (both := mixture(run)) is None else both.mixed,
    lambda y: fixed(y, ".4f"),
)
_UNITS = "Held-out is the best {}; the gap is that of the last pass, in the same unit."
_INTERVALS = " After ± stands a standard error, after a gap its 95% interval."


def _seconds(run: Source) -> float | None:
    found = number(run.fact("outcome").get("seconds"))
    return run.metrics.seconds if found is None else found


def _speed(run: Source) -> float | None:
    curves = run.metrics
    return curves.training_tokens / curves.training_seconds if curves.training_seconds > 0 else None


def numbers(found: Sequence[Group]) -> list[Table]:
    """Return the runs, and before them their groups where a group has several."""
    columns = _columns(found)
    heads = ["", *(head for head, _, _ in columns)]
    every = [
        [visible(name, limit=100), *(_cell(take(run), text) + _unsure(run, head) for head, take, text in columns),
         status(run).split(",")[0]]
        for group in found for name, run in zip(group.names, group.runs, strict=True)
    ]  # fmt: skip
    numeric = frozenset(range(1, len(heads)))
    scores = dict.fromkeys(f"{run.score.title}, in {run.score.unit}" for group in found for run in group.runs)
    units = _UNITS.format(" or ".join(scores))
    tables = [Table("Every run", [*heads, "how it ended"], every, numeric, units + _INTERVALS)]
    if any(group.seeds > 1 for group in found):
        rows = [[group.name, count(group.seeds), *(_mean(values(group, take), text)
                 for _, take, text in columns)] for group in found]  # fmt: skip
        note = f"Mean ± standard deviation over the seeds. {units}"
        tables.insert(0, Table("By configuration", ["", "seeds", *heads[1:]], rows,
                               frozenset(range(1, len(heads) + 1)), note))  # fmt: skip
    return tables


def _columns(found: Sequence[Group]) -> list[_Column]:
    """Return the columns; that of networks with counts is there where a run has some.

    What is done in a second is called what each task counts.
    """
    counted = dict.fromkeys(run.counted for group in found for run in group.runs)
    columns = [*_COLUMNS, (f"{' or '.join(counted)}/s", _speed, compact)]
    if any(mixture(run) is not None for group in found for run in group.runs):
        columns.insert(2, _WITH_COUNTS)
    return columns


def _cell(value: float | None, text: Callable[[float], str]) -> str:
    return "–" if value is None else text(value)


def _unsure(run: Source, head: str) -> str:
    """Return what stands behind a number of one run that was measured on a sample."""
    best, gap = best_of(run), gap_of(run)
    if head == "held-out" and best is not None and best.error is not None:
        return f" ± {best.error:.2g}"
    return f" ({gap.low:.2g} to {gap.high:.2g})" if head == "gap at last" and gap is not None else ""


def _mean(found: Sequence[float], text: Callable[[float], str]) -> str:
    if not found:
        return "–"
    mean = text(statistics.fmean(found))
    alike = max(found) == min(found)
    return mean if alike else f"{mean} ± {text(statistics.stdev(found))}"


def differences(found: Sequence[Group]) -> Table | str:
    """Return the fields that are not the same everywhere, by group; a sentence where there are none."""
    if len(found) == 1:
        return "Nothing but the seed: the configurations are the same."
    rows = [[key, *fields] for key, fields in groups.differences(found).items()]
    if not rows:
        return f"The configurations are the same but for the seed; their {found[0].runs[0].data} is not."
    note = "Fields of config.yaml that are not the same everywhere; seed and folder aside."
    return Table("What differs", ["", *(group.name for group in found)], rows, note=note)
