"""Results in words, for a terminal."""

from __future__ import annotations

from ..config.words import wrap
from ..draw.words import short
from .page import said
from .result import Results
from .statistics import NOTHING, Verdict


def of(results: Results, width: int) -> list[str]:
    """Return the claim with its verdict, each contrast with its own, and the conditions, in lines of `width` at most.

    A verdict stands before the sentence that it is about, never before a question.
    """
    experiment, judged = results.experiment, results.judged()
    head = f"{experiment.name}: {results.verdict.upper()}. {experiment.claim}"
    lines = ["", *(wrap(head, width) if experiment.section else [])]  # a comparison ends with sentences of its own
    for contrast, statistics, verdict in judged:
        lines += wrap(f"{contrast.says} {said(contrast, statistics)}", width, min(14, width // 4), f"  {verdict}  ")
    known = [results.conditions(contrast) for contrast, _, _ in judged]
    for conditions in dict.fromkeys(one for one in known if one is not None):
        rows = [str(number) for number, one in enumerate(known, 1) if one == conditions]
        of_which = "" if len(rows) == len(known) else f" of {', '.join(rows)}"
        lines += wrap(conditions.said(), width, min(14, width // 4), f"  conditions{of_which}  ")
    return lines


def better(results: Results) -> list[str]:
    """Return the verdicts of a comparison, a sentence for each side but the first: by the number that decides.

    Example:
        >>> better_by("old", "new", "supported", -0.25, "bits per byte", 0.01)
        'new is better than old by 0.25 bits per byte.'
    """
    judged = results.judged()
    found = []
    for contrast, statistics, verdict in judged:
        if contrast.value == judged[0][0].value:
            (b, a) = sorted(contrast.weights, key=lambda cell: -contrast.weights[cell])
            found.append(
                better_by(a, b, verdict, statistics.mean, contrast.unit, contrast.delta, results.experiment.longer)
            )
    return found


def better_by(
    a: str, b: str, verdict: Verdict, difference: float, unit: str, delta: float, longer: str = "--train.steps"
) -> str:
    """Return a verdict in a sentence, where `difference` is b's loss minus a's and `longer` trains longer."""
    size = f"{short(abs(difference))} {unit}"
    return {
        "supported": f"{b} is better than {a} by {size}.",
        "refuted": f"{a} is better than {b} by {size}.",
        "no effect": f"{a} and {b} differ by less than {short(delta)} {unit}, the smallest difference of interest.",
        NOTHING: f"Neither {a} nor {b} knows more than how often each token occurs: give more {longer}.",
        "undecided": f"So many seeds cannot tell {a} from {b}: give more --seeds, or a larger --delta.",
    }[verdict]
