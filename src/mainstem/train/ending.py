"""What a run says at its end: what was reached, beside what, and what to do next. May import `data` and siblings."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ..data import yardsticks
from ..errors import command
from ..runs.state import Best
from .console import clock
from .learner import Learner
from .lines import WIDTH, columns, place, size
from .listener import Outcome

_SHOWN = 4
"""Lines of a sample."""

_GOING_ON = 2
"""How many times as many steps a longer run is offered."""


def ending(
    learner: Learner, steps: int, outcome: Outcome, found: dict[str, float], sample: dict[str, Any] | None,
    page: Path | None,
) -> str:  # fmt: skip
    """Return the `outcome` of a run after `steps` steps, the yardsticks beside it, a sample, and the next commands.

    `found` has the bits per byte of each yardstick; `sample` and `page` are None where they could not be made.
    """
    paragraphs = [
        _reached(learner, steps, outcome), _beside(learner, outcome.best, found), _sample(sample),
        _next(learner, outcome, page),
    ]  # fmt: skip
    return "\n".join(itertools.chain.from_iterable(paragraphs))


def _reached(learner: Learner, steps: int, outcome: Outcome) -> list[str]:
    found, patience = outcome.best, learner.run.train.patience
    error = "" if found.error is None else f" +- {found.error:.2g} (standard error of a sample)"
    ended = {"steps": "all its steps", "patience": f"{patience} evaluations without gain",
             "pruned": "a listener asked for it"}[outcome.reason]  # fmt: skip
    return [
        f"ended after {steps:,} steps and {clock(outcome.seconds)}: {ended}",
        f"held-out loss {found.nats_per_token:.4f}{error} nats per token, {found.bits_per_byte:.4f} bits per byte, "
        f"at step {found.step:,}; lower is better, and a guess without knowledge costs 8 bits per byte",
    ]


def _beside(learner: Learner, best: Best, found: dict[str, float]) -> list[str]:
    size_of_text = int(learner.data.train.num_bytes)
    tail = min(yardsticks.TAIL, size_of_text)
    which = "all" if tail == size_of_text else f"the last {size(tail)} of"
    knows = {
        "unigram_bpb": "it knows how often each token occurs in the training text, not what stands before",
        "lzma_bpb": f"it copies from {which} the training text, and from the held-out text up to each place",
    }
    return [
        f"{name.removesuffix('_bpb'):<7}  {value:.4f} bits per byte, {_compared(best, value)}: {knows[name]}"
        for name, value in found.items()
    ]


def _compared(best: Best, value: float) -> str:
    """Return whether `best` has fewer bits per byte than `value`; a sample says so from two standard errors on."""
    unsure = 0.0 if best.error is None else 2 * best.error * best.bits_per_byte / best.nats_per_token
    if abs(best.bits_per_byte - value) < unsure:
        return "too close for a sample to tell"
    return "beaten" if best.bits_per_byte < value else "not beaten"


def _sample(sample: dict[str, Any] | None) -> list[str]:
    if sample is None:
        return []
    from ..report.words import visible  # late: the page has been made

    begun = visible(whole(sample["prompt"]))
    text = visible(whole(sample["text"]), lines=True).expandtabs(4)
    lines = [part for line in text.split("\n") if line.strip() for part in _parts(line.rstrip(), WIDTH - 4)]
    shown = [f"    {line}" for line in lines[:_SHOWN]]
    return [f'it writes, after "{begun}":', *shown]


def whole(text: str) -> str:
    """Return `text` without the halves of characters that a cut between tokens has left at its ends.

    What is no character in its middle is a question mark.

    >>> whole("\\ufffdmain\\ufffdstem\\ufffd\\ufffd")
    'main?stem'
    """
    return text.strip("\ufffd").replace("\ufffd", "?")


def _parts(line: str, width: int) -> list[str]:
    """Return a line of a model's text in parts of at most `width` columns, blanks and all."""
    found = [""]
    for character in line:
        if columns(found[-1] + character) > width:
            found.append("")
        found[-1] += character
    return found


def _next(learner: Learner, outcome: Outcome, page: Path | None) -> list[str]:
    run = place(outcome.path)
    longer = ["train", "--resume", run, "--train.steps", str(_GOING_ON * learner.steps)]
    if outcome.reason == "patience":  # which has ended it, and would again
        longer = ["train", "--resume", run, "--train.patience", "0"]
    lines = [f"  let it write  {command('sample', run)}"]
    if page is not None:
        lines.append(f"  see its page  {place(page)}, made again by {command('report', run)}")
    return ["next:", *lines, f"  train longer  {command(*longer)}"]
