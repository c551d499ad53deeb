"""Results in words, for a terminal. May import `config.words` and its siblings."""

from __future__ import annotations

from ..config.words import wrap
from .page import said
from .result import Results
from .statistics import Verdict


def of(results: Results, width: int) -> list[str]:
    """Return the verdict of the experiment and of each of its contrasts, in lines of at most `width`."""
    lines = ["", *wrap(f"{results.experiment.name}: {results.verdict.upper()}. {results.experiment.question}", width)]
    for contrast, statistics, verdict in results.judged():
        lines += wrap(f"{contrast.says} {said(contrast, statistics)}", width, min(14, width // 4), f"  {verdict}  ")
    return lines


def better(a: str, b: str, verdict: Verdict) -> str:
    """Return the verdict of a comparison in a sentence.

    Example:
        >>> better("old", "new", "supported")
        'new is better than old.'
    """
    return {
        "supported": f"{b} is better than {a}.",
        "refuted": f"{a} is better than {b}.",
        "no effect": f"{a} and {b} differ by less than the smallest difference of interest.",
        "undecided": f"So many seeds cannot tell {a} from {b}: give more --seeds, or a larger --delta.",
    }[verdict]
