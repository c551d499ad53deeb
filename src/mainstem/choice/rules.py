"""What is decided for one size, and the reason of each in a few words."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import msgspec

from .. import config
from ..wording import several
from .corpus import Corpus
from .table import (
    APART,
    EACH,
    LEAST,
    MEMBERS,
    MEMBERS_BASIS,
    MINUTE,
    MOST,
    MOST_BASIS,
    PASSES,
    RATES,
    REGULARIZATION,
    WAITS,
    Size,
)
from .width import heads


class Decision(msgspec.Struct, frozen=True):
    """`values` of fields that belong together, as they are `said`, and `why` they are so."""

    title: str
    values: dict[str, Any]
    said: str
    why: str

    def without(self, given: Collection[str]) -> Decision | None:
        """Return the same without fields that are given; None where none is left of those that there were."""
        left = {name: value for name, value in self.values.items() if name not in given}
        return None if self.values and not left else msgspec.structs.replace(self, values=left)


def tokens(corpus: Corpus) -> Decision:
    """Say which tokens the text has: they were chosen when it was read."""
    said = corpus.tokenizer if corpus.tokenizer == "byte" else f"{corpus.tokenizer} {corpus.vocabulary:,}"
    return Decision("tokens", {}, said, corpus.because.partition(";")[0].rpartition(": ")[2])


def size(size: Size, steps: int, larger: Size | None, run: config.Run, given: Collection[str]) -> Decision:
    """Decide layers, width and heads; `larger` is the size that more time would have."""
    values = {"model.layers": size.layers, "model.width": size.width, "model.heads": heads(size.width, run, given)}
    why = f"{several(steps, 'step')} {'fits' if steps == 1 else 'fit'}"
    if larger is not None and larger[:2] != size[:2]:
        why += f"; {larger.layers} x {larger.width} pays from {larger.steps:,} of its own on"
        if larger.tokens:
            why += f", and {several(larger.tokens, 'token')}"
    return Decision("size", values, f"{size.layers} x {size.width}", f"{why} ({size.basis})")


def context(size: Size, table: Size, corpus: Corpus) -> Decision:
    """Decide how many tokens are seen at once."""
    short = size.context < table.context
    why = f"the training text has only {several(corpus.tokens, 'token')}" if short else f"{table.basis} at this size"
    return Decision("context", {"model.context": size.context}, f"{size.context}", why)


def batch(size: Size, basis: str) -> Decision:
    """Decide how many sequences a step has."""
    why = f"{several(size.batch * size.context, 'token')} a step ({basis})"
    return Decision("batch", {"train.batch": size.batch}, f"{size.batch}", why)


def most(run: config.Run, given: Collection[str]) -> float:
    """Return how many passes over the text a run has at most."""
    return run.train.passes or math.inf if "train.passes" in given else MOST


def networks(fit: int, each: float) -> int:
    """Return how many networks have time for the steps that are wanted of `each`, where so many of one `fit`.

    Example:
        >>> networks(11_708, 1757.8), networks(900, 1757.8), networks(10**6, 100.0), networks(900, math.inf)
        (6, 1, 8, 1)
    """
    return max(1, min(MEMBERS, int(fit / math.ceil(each)))) if math.isfinite(each) else 1


def members(number: int, fit: int, count: int, run: config.Run, given: Collection[str]) -> Decision:
    """Decide how many networks there are: of one so many steps `fit`, and each takes `count`; passes may be given."""
    each, basis = (most(run, given), "as given") if "train.passes" in given else (EACH, MEMBERS_BASIS)
    if run.optim.around is not None:
        why = "optim.around takes one network"
    elif math.isinf(each):
        why = "it takes every step that fits, as train.passes sets no end"
    elif number > 1:
        why = (
            f"{several(fit, 'step')} of one network {'fits' if fit == 1 else 'fit'}, and each takes "
            f"{count:,} ({MEMBERS_BASIS})"
        )
    else:
        why = (
            f"two want {each:g} passes each, and {several(fit, 'step')} of one network "
            f"{'fits' if fit == 1 else 'fit'} ({basis})"
        )
    return Decision("members", {"model.members": number}, f"{number}", why)


def passes(steps: int, fit: int) -> Decision:
    """Decide how often the text is seen at most, in a run that has so many `steps`, of which so many would fit."""
    few = {0: "the one step that is taken is less", 1: "the one step that fits is less"}
    every = few.get(fit, f"all {fit:,} steps that fit are fewer")
    why = every if steps >= fit else f"{several(steps, 'step')}, though {fit:,} fit"
    return Decision("passes", {"train.passes": MOST}, f"at most {MOST:g}", f"{why} ({MOST_BASIS})")


def rates(size: Size, run: config.Run) -> list[Decision]:
    """Decide the learning rates of Muon and of what it leaves to AdamW; those of another optimizer are its own."""
    if run.optim.name != "muon":
        return []
    row = next(row for row in RATES if size.width <= row.width)
    values = {"optim.lr": row.lr, "optim.muon_lr": row.muon_lr}
    why = f"of matrices, of the embedding ({row.basis})"
    return [Decision("rates", values, f"{row.muon_lr:g}, {row.lr:g}", why)]


def regularization(passes: float) -> list[Decision]:
    """Decide dropout and decay for a run that sees its text so often."""
    row = max((row for row in REGULARIZATION if row.passes <= passes), key=lambda row: row.passes)
    why = f"{passes:,.0f} passes over the text" if passes >= 10 else f"{passes:.1f} passes over the text"
    return [
        Decision("dropout", {"noise.rate": row.dropout}, f"{row.dropout:g}", f"{why} ({row.basis})"),
        Decision("decay", {"optim.decay": row.decay}, f"{row.decay:g}", f"{why} ({row.basis})"),
    ]


def cadence(steps: int, seconds: float) -> list[Decision]:
    """Decide when a run of so many steps, in so many `seconds`, is measured and saved, and when it ends early."""
    every = max(1, min(steps, max(APART, _round(min(steps / PASSES, MINUTE * steps / max(seconds, 1e-9))))))
    number = max(1, (2 * steps + every) // (2 * every))  # as `train.cadence` counts them: half an interval has one
    waits, passes = max(LEAST, math.ceil(WAITS * number)), "pass" if number == 1 else "passes"
    return [
        Decision(
            "measured",
            {"evaluate.every": every, "save.every": every},
            f"each {every:,}",
            f"{number} held-out {passes}",
        ),
        Decision("patience", {"train.patience": waits}, f"{waits}", "passes without a gain end it"),
    ]


def _round(value: float) -> int:
    """Return a number of two digits and zeros near `value`."""
    digits = max(0, len(str(int(value))) - 2)
    return int(round(value / 10**digits) * 10**digits)
