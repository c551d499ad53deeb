"""The pure function from a text, a machine and a time to what a run is like."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import msgspec

from .. import config
from ..wording import several
from . import rules
from .corpus import Corpus
from .cost import Shape, Speed, seconds
from .rules import Decision
from .table import EACH, FEWEST, FIXED, SIZES, USABLE, Size
from .width import around, batched


class Choice(msgspec.Struct, frozen=True):
    """What was decided for a budget of so many seconds.

    `steps` are those of one network that fit, `count` those that each of the networks takes, and `least` is the budget
    that a run needs to learn something.
    """

    budget: float
    steps: int
    count: int
    least: float
    decisions: list[Decision]

    @property
    def doubt(self) -> str | None:
        """Return a sentence where there is time for next to nothing, and None elsewhere."""
        if self.steps >= FEWEST:
            return None
        fit = f"about {several(self.steps, 'step')}" if self.steps else "no step"
        return (
            f"A budget of {self.budget:g} s leaves time for {fit}, after imports and reading and before the end, and "
            f"one is taken at least: fewer than {FEWEST} learn little, so give {self.least:.0f}s or more."
        )

    @property
    def values(self) -> dict[str, Any]:
        """Return every value that was decided, by the name of its field."""
        return {name: value for decision in self.decisions for name, value in decision.values.items()}


def choose(
    corpus: Corpus,
    speed: Speed,
    budget: float,
    run: config.Run,
    given: Collection[str] = (),
    spent: float = 0.0,
    timed: int | None = None,
) -> Choice:
    """Return what a run on `corpus` with `budget` seconds is to be like.

    Fields of `run` that are `given` stay as they are, and the rest is chosen around them. The same arguments give the
    same choice, and a longer budget never a smaller model.

    Args:
        corpus: what is known of the text.
        speed: of this machine, beside that of the cost model.
        budget: seconds of wall time, of which `spent` have passed already.
        run: a resolved configuration, which holds for all that is not chosen.
        given: dotted names of fields.
        timed: steps of one network that fit, of the size that the same arguments without it choose; where members are
            given, of all of them together. By default the cost model says so.

    Returns:
        The decisions, each with the fields that were free and the reason.

    Example:
        >>> corpus = Corpus(4_000_000, 1, 1_200_000, 130_000, "bpe", 4096)
        >>> found = choose(corpus, Speed(), 150.0, config.load(recipe="default"), given={"model.layers"})
        >>> sorted(found.values)[:3]
        ['evaluate.every', 'model.context', 'model.heads']
    """
    room = max(0.0, USABLE * (budget - spent - FIXED))
    sizes = [around(size, run, given, corpus.tokens) for size in SIZES]
    held = run.model.members if "model.members" in given else 1
    steps = [int(room / seconds(shape(size, corpus, held), speed)) for size in sizes]
    best = max((number for number, size in enumerate(sizes) if _fits(size, steps[number], corpus)), default=0)
    size, basis = batched(sizes[best], steps[best], run, given, corpus.tokens)
    took = seconds(shape(size, corpus, held), speed)
    fit = int(room / took) if timed is None else timed
    each = room / timed if timed and room else took
    least = math.ceil(spent + FIXED + (FEWEST + 1) * max(took, each) / USABLE)
    once = corpus.tokens / (size.context * size.batch)
    wanted = rules.most(run, given) * once
    bound = "model.members" in given or run.optim.around is not None  # which takes one network
    members = 1 if bound else rules.networks(fit, wanted if "train.passes" in given else EACH * once)
    count = max(1, math.ceil(min(fit // members, wanted)))
    larger = sizes[best + 1] if best + 1 < len(sizes) else None
    decided = [
        rules.tokens(corpus),
        rules.size(size, fit, larger, run, given),
        rules.members(members, fit, count, run, given),
        rules.context(size, SIZES[best], corpus),
        rules.batch(size, basis),
        rules.passes(count, fit // members),
        *rules.rates(size, run),
        *rules.regularization(count * size.context * size.batch / max(1, corpus.tokens)),
        *rules.cadence(count, count * each * members),
    ]
    free = [left for one in decided if (left := one.without(given)) is not None]
    return Choice(budget, fit, count, least, free)


def shape(size: Size, corpus: Corpus, members: int = 1) -> Shape:
    """Return the shape of a step of this size on this text, with so many networks."""
    return Shape(size.layers, size.width, size.context, size.batch, corpus.vocabulary, members)


def _fits(size: Size, steps: int, corpus: Corpus) -> bool:
    return steps >= size.steps and corpus.tokens >= size.tokens
