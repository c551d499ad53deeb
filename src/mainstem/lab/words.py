"""Results in words, for a terminal. May import `config.words` and its siblings."""

from __future__ import annotations

from ..config.words import wrap
from .page import said
from .result import Results
from .statistics import NOTHING, Verdict


def of(results: Results, width: int) -> list[str]:
    """Return the claim with its verdict, each contrast with its own, and the conditions, in lines of `width` at most.

    A verdict stands before the sentence that it is about, never before a question.
    """
    experiment, judged = results.experiment, results.judged()
    lines = ["", *wrap(f"{experiment.name}: {results.verdict.upper()}. {experiment.claim}", width)]
    for contrast, statistics, verdict in judged:
        lines += wrap(f"{contrast.says} {said(contrast, statistics)}", width, min(14, width // 4), f"  {verdict}  ")
    known = [results.conditions(contrast) for contrast, _, _ in judged]
    for conditions in dict.fromkeys(one for one in known if one is not None):
        rows = [str(number) for number, one in enumerate(known, 1) if one == conditions]
        of_which = "" if len(rows) == len(known) else f" of {', '.join(rows)}"
        lines += wrap(conditions.said(), width, min(14, width // 4), f"  conditions{of_which}  ")
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
        NOTHING: f"Neither {a} nor {b} knows more than how often each token occurs: give more --train.steps.",
        "undecided": f"So many seeds cannot tell {a} from {b}: give more --seeds, or a larger --delta.",
    }[verdict]
