"""The page of one experiment or of many: question, verdict, effects, figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..draw import figure_page
from ..draw.figure_page import Drawing, Section
from ..draw.forest import Forest, Interval
from ..draw.table import Table
from ..draw.words import duration, short, visible
from ..wording import counted, several
from .experiment import Contrast
from .result import Results
from .statistics import Paired, Verdict

_MEANING = {
    "supported": "The effect is there, with the sign that the claim predicts, larger than the smallest of interest.",
    "refuted": "The effect is there with the opposite sign, and larger than the smallest of interest.",
    "no effect": "Whatever effect there is, it is smaller than the smallest of interest.",
    "undecided": "So many seeds cannot tell: the interval reaches over the smallest effect of interest.",
    "undecided: nothing learned yet": "With one seed or more, networks that it is about know only how often each token "
    "occurs: give more {longer}, or a lower learning rate.",
}


def page(title: str, about: str, found: Sequence[Results], command: str | None) -> str:
    """Return the page, which holds all that it shows: a table of verdicts, then a section for each experiment."""
    return figure_page.render(
        figure_page.Page(
            visible(title, limit=100), visible(about, limit=500), summary=_summary(found) if len(found) > 1 else None,
            sections=[section(results) for results in found],
            command=None if command is None else visible(command, limit=8000),
        )
    )  # fmt: skip


def section(results: Results) -> Section:
    """Return what the page says and draws of one experiment."""
    experiment, judged = results.experiment, results.judged()
    contrast, statistics, verdict = judged[0]
    meaning = _meaning(verdict, statistics, experiment.longer)
    paragraphs = [
        f"The question{f' (section {experiment.section})' if experiment.section else ''}: {experiment.question}",
        f"Put to the test: {contrast.says} {said(contrast, statistics)} {meaning}",
        _conditions(results, contrast),
        _how(results),
        f"Sources: {'; '.join(experiment.sources)}." if experiment.sources else "",
    ]
    said_all = [visible(text, limit=2000) for text in paragraphs if text]
    figures = drawings(results)
    return Section(f"{experiment.name}: {experiment.claim}", verdict, said_all, [table(judged)], figures)


def drawings(results: Results) -> list[Drawing]:
    """Return the forest plot and the experiment's own figures; their keys have its name, as a page may have many."""
    drawn: list[Drawing] = [effects(results), *results.experiment.figures(results)]
    return [replace(figure, key=f"{results.experiment.name}-{figure.key}") for figure in drawn]


def said(contrast: Contrast, statistics: Paired) -> str:
    r"""Return the effect, its interval, the smallest that matters and the smallest that so many seeds would find.

    Example:
        >>> from mainstem.lab import against, paired
        >>> contrast = Contrast("a beats b", against("a", "b"), "loss", "nats", 0.01, -1)
        >>> print(*said(contrast, paired([-0.02, -0.01, -0.03], 0.01)).split("; "), sep="\n")
        Difference -0.02 nats (95% interval -0.04484 to 0.004841, 3 seeds
        smallest of interest 0.01, smallest detectable 0.04264).
    """
    seeds = several(statistics.n, "seed")
    if not math.isfinite(statistics.mean):
        return f"No difference: a number is missing or not finite ({seeds})."
    if math.isnan(statistics.low):
        return f"Difference {signed(statistics.mean)} {contrast.unit} ({seeds}: too few for an interval)."
    interval = f"{percent(statistics.level)} interval {signed(statistics.low)} to {signed(statistics.high)}"
    seen = f"smallest of interest {short(contrast.delta)}, smallest detectable {short(statistics.detectable)}"
    return f"Difference {signed(statistics.mean)} {contrast.unit} ({interval}, {seeds}; {seen})."


def _meaning(verdict: Verdict, statistics: Paired, longer: str) -> str:
    if verdict == "undecided" and not math.isfinite(statistics.mean):
        return "Where a number is missing, nothing can be told."
    if verdict == "undecided" and math.isnan(statistics.low):
        return "One seed cannot tell: give more --seeds."
    return _MEANING[verdict].format(longer=longer)


def table(judged: Sequence[tuple[Contrast, Paired, Verdict]]) -> Table:
    """Return every contrast with its numbers."""
    rows = [
        [visible(contrast.says, limit=300), verdict, f"{signed(found.mean)} {contrast.unit}",
         "" if math.isnan(found.low)
         else f"{signed(found.low)} to {signed(found.high)} ({percent(found.level)})",
         short(contrast.delta), "" if math.isnan(found.detectable) else short(found.detectable),
         "" if math.isnan(found.p) else short(found.p), str(found.n)]
        for contrast, found, verdict in judged
    ]  # fmt: skip
    heads = ["where supported, this is so", "verdict", "difference", "interval", "of interest", "detectable", "p",
             "seeds"]  # fmt: skip
    note = (
        "Of interest: the smallest effect that matters, fixed beforehand. Detectable: the smallest that so many seeds "
        "would find four times in five."
    )
    if len(rows) > 1:
        note += (
            " The first row decides. Intervals and what is detectable allow for the number of rows (Holm), as verdicts "
            "do, and each interval is the one that its verdict goes by; p is that of a row alone."
        )
    return Table("Effects", heads, rows, frozenset({2, 3, 4, 5, 6, 7}), note)


def effects(results: Results) -> Forest:
    """Return the forest plot: every contrast in units of its smallest effect of interest, plus being as claimed.

    Where every effect is of interest, contrasts have the unit of what was measured.
    """
    rows, judged = [], results.judged()
    scaled = all(contrast.delta for contrast, _, _ in judged)
    for contrast, found, verdict in judged:
        unit = contrast.expected / contrast.delta if scaled else float(contrast.expected)
        low, high = sorted((found.low * unit, found.high * unit))
        rows.append(
            Interval(
                visible(contrast.says, limit=300), found.mean * unit, low, high, verdict,
                (-1.0, 1.0) if scaled else None, shown=(found.mean, found.low, found.high), unit=contrast.unit,
            )
        )  # fmt: skip
    if not scaled:
        return Forest(
            "effects", "Effects",
            "Mean difference over seeds with the interval that its verdict goes by, drawn so that to the right the "
            "claim is borne out and to the left its opposite.",
            judged[0][0].unit, rows,
        )  # fmt: skip
    return Forest(
        "effects", "Effects",
        "Mean difference over seeds with the interval that its verdict goes by, written in its own unit and drawn in "
        "smallest effects of interest: beyond the shaded part to the right the claim is borne out, to the left its "
        "opposite; inside it nothing happens that matters.",
        "smallest effects of interest", rows,
    )  # fmt: skip


def _conditions(results: Results, contrast: Contrast) -> str:
    """Return under which conditions the verdict holds: the numbers, then the words of the experiment."""
    known, words = results.conditions(contrast), results.experiment.conditions
    parts = [part for part in ("" if known is None else known.said(), words) if part]
    return f"Conditions: {' '.join(parts)}" if parts else ""


def _how(results: Results) -> str:
    seeds, cells = len(results.seeds), len(results.experiment.cells)
    trials = f"{several(cells, 'configuration')} x {several(seeds, 'seed')}"
    taken = results.facts.get("seconds")
    when = f", {duration(float(taken))}" if isinstance(taken, (int, float)) else ""
    steps = results.facts.get("steps")
    each = f", {several(steps, 'step', '')} each" if isinstance(steps, int) else ""
    if all(contrast.untrained for contrast in results.experiment.contrasts):
        each = ", none of them trained"
    shared = (
        "within a seed all share initial weights by name and masks, and the order of the text where text, context and "
        "batch are the same"
    )
    return f"How: {trials}{each}{when}; {shared}.{_where(results)}"


def _where(results: Results) -> str:
    """Return machine, versions and commit in a sentence, where they are known."""
    machine, versions = results.facts.get("machine"), results.facts.get("versions")
    if not isinstance(machine, dict) or not isinstance(versions, dict):
        return ""
    commit = results.facts.get("commit")
    at = f" (commit {str(commit)[:12]})" if commit else ""
    cores, threads = (visible(machine.get(name), limit=40) for name in ("cores", "threads"))
    gpu = f", {visible(machine['gpu'], limit=100)}" if "gpu" in machine else ""
    return (
        f" On {counted(cores, 'core')} ({machine.get('architecture')}, {machine.get('instructions')}), "
        f"{counted(threads, 'thread')}{gpu}, torch {versions.get('torch')}, mainstem "
        f"{versions.get('mainstem')}{at}."
    )


def _summary(found: Sequence[Results]) -> Table:
    rows = []
    for results in found:
        contrast, statistics, verdict = results.judged()[0]
        claim = visible(results.experiment.claim, limit=300)
        rows.append([results.experiment.name, verdict, claim, said(contrast, statistics)])
    return Table("Verdicts", ["experiment", "verdict", "claim", "effect"], rows)


def percent(level: float) -> str:
    """Return the level of an interval.

    Example:
        >>> percent(0.95), percent(0.9875), percent(0.9999)
        ('95%', '98.8%', '99.99%')
    """
    digits = 3 if level < 0.999 else 4
    return f"{100 * level:.{digits}g}%"


def signed(value: float) -> str:
    """Return four digits of a number, with its sign.

    Example:
        >>> signed(-0.12344), signed(2.0)
        ('-0.1234', '2')
    """
    return f"-{short(-value)}" if value < 0 else short(value)
