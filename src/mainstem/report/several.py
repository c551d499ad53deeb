"""Runs beside each other, as one page."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from .. import files
from ..draw import figure_page
from ..draw.chart import SERIES
from ..draw.figure_page import Section
from ..draw.words import count, short, visible
from ..errors import BadInput
from ..runs.score import BITS
from ..wording import few, fixed, listed, several
from . import groups, several_figures, several_tables, source
from .groups import Group
from .headline import best_of
from .several_tables import reached, values
from .source import Source

NAME = "compare.html"
_OURS = b'<meta name="generator" content="mainstem">'


def write(run_folders: Sequence[str | Path], path: str | Path = NAME, command: str | None = None) -> Path:
    """Write a page that compares the runs in `run_folders` to the file `path`, all of it or nothing; return its path.

    Runs that differ in nothing but their seed are drawn as their mean with the spread. Raises `BadInput` where a folder
    is not that of a run, is given twice, no run has recorded a step, or `path` holds something else.
    """
    folders = [Path(folder) for folder in run_folders]
    seen: dict[Path, Path] = {}
    for folder in folders:
        if (other := seen.setdefault(folder.resolve(), folder)) is not folder:
            also = "" if str(other) == str(folder) else f", as {str(other)!r} too"
            raise BadInput(f"{str(folder)!r} is given twice{also}: give each run once.")
    target = _target(Path(path))
    runs = [source.read(folder) for folder in folders]
    text = render(runs, folders, command)
    return files.write_text(target, text)


def render(runs: Sequence[Source], folders: Sequence[Path], command: str | None = None) -> str:
    """Return the page of the runs that were read from `folders`."""
    if not any(run.metrics.last_step for run in runs):
        raise BadInput("None of these runs has recorded a step: compare them when they have begun.")
    found, score = groups.grouped(runs, folders), runs[0].score
    comparable, bits, said = _comparable(runs, groups.unique(folders))
    ranked = sorted(found, key=lambda group: _rank(group, bits)) if comparable else found
    # A legend of more lines than there are styles would tell nothing apart.
    drawn = found if len(found) <= SERIES else [group for group in found if group in ranked[:SERIES]]
    differ = several_tables.differences(found)
    sections = [
        Section("Numbers", tables=several_tables.numbers(found)),
        Section("What differs", paragraphs=[differ] if isinstance(differ, str) else [],
                tables=[] if isinstance(differ, str) else [differ]),
    ]  # fmt: skip
    left = len(found) - len(drawn)
    which = f"with the {'lowest' if score.lower else 'highest'} {score.title}" if comparable else "given first"
    only = [f"Drawn are the {len(drawn)} {which}: {', '.join(group.name for group in drawn)}. "
            f"The other {count(left)} stand in the tables alone."] if left else []  # fmt: skip
    sections.append(Section("Curves", paragraphs=only, figures=several_figures.figures(drawn, bits)))
    notes = [note for group in found for note in _notes(group)]
    if notes:
        sections.append(Section("What is missing", paragraphs=notes))
    about = f"{several(len(runs), 'run')}, {several(len(found), 'configuration')}"
    lead = [*([_best(ranked, bits)] if comparable else []), *said]
    return figure_page.render(figure_page.Page(
        f"Comparing {_listed([group.name for group in found])}", about, sections=sections,
        lead=[visible(sentence, limit=2000) for sentence in lead if sentence],
        command=None if command is None else visible(command, limit=8000),
    ))  # fmt: skip


def _target(path: Path) -> Path:
    if files.is_folder(path):
        path /= NAME
    if not files.is_folder(path.parent):
        raise BadInput(
            f"There is no folder {str(path.parent)!r} to write {path.name!r} into: make it, or give another."
        )
    files.check_target(path)
    if os.path.lexists(path):
        with files.opened(path, "give another --out") as stream:
            ours = _OURS in stream.read(1 << 12)
        if not ours:
            raise BadInput(f"{str(path)!r} holds something else, which would be lost: give another --out.")
    return path


def _comparable(runs: Sequence[Source], names: Sequence[str]) -> tuple[bool, bool, list[str]]:
    """Return whether the losses may be compared, whether in bits per byte alone, and what is to be said of that."""
    scores = dict.fromkeys(f"{run.score.title} in {run.score.unit}" for run in runs)
    if len(scores) > 1:
        return False, False, [f"The runs have different scores, which are not comparable: {', '.join(scores)}."]
    hashes = [groups.held_out(run) for run in runs]
    silent = [name for name, found in zip(names, hashes, strict=True) if found is None]
    many = len({found for found in hashes if found is not None})
    if many > 1:
        apart = f"{many} different texts" if runs[0].data == "text" else f"different {runs[0].data}"
        return False, False, [
            f"The losses are not comparable: these runs were held out on {apart}. Everything else is."
        ]  # fmt: skip
    said = []
    if silent:
        said.append(f"What {_listed(silent)} {'was' if len(silent) == 1 else 'were'} held out on is not recorded, so "
                    "whether the losses are comparable is not known.")  # fmt: skip
    if len({groups.per_token(run) for run in runs if groups.held_out(run) is not None}) > 1:
        said.append("Their tokens are not the same, so that nats per token are not comparable, and bits per byte are: "
                    "held-out loss is drawn in bits per byte.")  # fmt: skip
        return not silent, True, said
    return not silent, False, said


def _rank(group: Group, bits: bool) -> float:
    """Return a number that is lower for a better group."""
    found = values(group, lambda run: reached(run, bits))
    sign = 1.0 if group.runs[0].score.lower else -1.0
    return sign * statistics.fmean(found) if found else math.inf


def _best(ranked: Sequence[Group], bits: bool) -> str:
    """Return who is best, by how much, and whether the seeds leave room for doubt."""
    score = ranked[0].runs[0].score
    unit, sign = BITS.unit if bits else score.unit, 1.0 if score.lower else -1.0
    most, below = ("lowest", "below") if score.lower else ("highest", "above")
    known = [(group, found) for group in ranked if (found := values(group, lambda run: reached(run, bits)))]
    if not known:
        return f"No {score.title} has been recorded yet."
    (first, own), *others = known
    mean = f", the mean of {len(own)} seeds" if len(own) > 1 else ""
    data = ranked[0].runs[0].data
    said = f"{first.name} is {most} on held-out {data}: {fixed(statistics.fmean(own), '.4f')} {unit}{mean}"
    if not others:
        return f"{said}."
    second, theirs = others[0]
    said += f", {short(sign * (statistics.fmean(theirs) - statistics.fmean(own)))} {below} {second.name}."
    if len(own) < 2 or len(theirs) < 2:
        return f"{said} One seed says nothing of chance: repeat with other seeds before relying on it."
    apart = max(sign * y for y in own) < min(sign * y for y in theirs)
    return (
        f"{said} Every seed of the one lies {below} every seed of the other."
        if apart
        else (f"{said} Their seeds overlap, so this may be chance.")
    )


def _notes(group: Group) -> list[str]:
    said = []
    for name, run in zip(group.names, group.runs, strict=True):
        if not run.metrics.last_step:
            said.append(f"{name} has recorded no step.")
        elif best_of(run) is None:
            said.append(f"{name} has recorded no {run.score.title}.")
        said += [f"{name}: {visible(note, limit=400)}" for note in run.notes]
    said += [f"{name} repeats the configuration and the seed of another run, and is left out of the means."
             for name in group.repeats]  # fmt: skip
    return said


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = [visible(name, limit=60) for name in names]
    return few(shown, most) if len(shown) > most else listed(shown)
