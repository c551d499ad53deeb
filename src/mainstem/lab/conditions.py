"""What the trainings behind a verdict were: text, passes, sizes, steps, seeds, as data.

Shapes: V tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from .. import config, data
from ..draw.words import short
from ..wording import counted, several
from .trial import spread

_OVER = 0.02
"""Share by which a loss must be below that of single tokens before a network knows more than how often each occurs."""


class Setting(Struct, frozen=True):
    """One cell: the text that it reads, sizes, steps, and what the text costs by single tokens, in nats per token.

    `bytes` and `tokens` are those of the training text that the cell draws from, `steps` None where it is not known
    beforehand, `floor_train` and `floor_held_out` the cross-entropies of both texts under the tokens' frequencies in
    the training text.
    """

    text: str
    bytes: int
    tokens: int
    layers: int
    width: int
    context: int
    batch: int
    steps: int | None
    floor_train: float
    floor_held_out: float

    def learned(self, numbers: Mapping[str, float]) -> bool:
        """Return whether one of the losses in `numbers`, by its name in a trial, is below that of single tokens."""
        floors = {"held_out": self.floor_held_out, "train": self.floor_train, "loss": self.floor_train}
        return any(value < (1 - _OVER) * floors[name] for name, value in numbers.items() if name in floors)


class Conditions(NamedTuple):
    """The conditions of a verdict: what the cells of its contrast have, each value once, in order.

    `steps` and `passes` are 0 where nothing was trained.

    Example:
        >>> some = Conditions(("a.txt",), (8192,), (25.0,), (2,), (64,), (64,), (16,), (200,), 8)
        >>> some.said()
        '8,192 bytes of a.txt read 25 times; 2 blocks of width 64, context 64; 200 steps of 16 sequences; 8 seeds.'
    """

    texts: tuple[str, ...]
    bytes: tuple[int, ...]
    passes: tuple[float, ...]
    layers: tuple[int, ...]
    width: tuple[int, ...]
    context: tuple[int, ...]
    batch: tuple[int, ...]
    steps: tuple[int, ...]
    seeds: int

    def said(self) -> str:
        """Return the conditions in a sentence."""
        text = f"{counted(_either(self.bytes), 'byte')} of {' or '.join(self.texts)}"
        still = self.steps == (0,)
        how = f"{text}; networks at their initial weights" if still else f"{text} {_read(self.passes)}"
        blocks = f"{counted(_either(self.layers), 'block')} of width {_either(self.width)}"
        sizes = f"{blocks}, context {_either(self.context)}"
        taken = f"{counted(_either(self.steps), 'step')} of {counted(_either(self.batch), 'sequence')}; "
        seeds = several(self.seeds, "seed")
        return f"{how}; {sizes}; {'' if still else taken}{seeds}."


def of(run: config.Run, corpus: data.Corpus, tokens: int | None) -> Setting:
    """Return the setting of a cell whose configuration is `run`, and which reads `tokens` tokens of the corpus."""
    train = corpus.train if tokens is None else spread(corpus.train, tokens)
    size = corpus.tokenizer.vocab_size
    seen_V, asked_V = data.yardsticks.frequencies(train, size), data.yardsticks.frequencies(corpus.held_out, size)
    nats_V = math.log(len(train) + size) - np.log(seen_V + 1.0)  # one more of each, so that none is impossible
    return Setting(
        str(corpus.facts.get("origin", "")), train.num_bytes, len(train), run.model.layers or 0, run.model.width or 0,
        run.model.context or 0, run.train.batch, run.train.steps,
        float(seen_V @ nats_V) / max(1, len(train)), float(asked_V @ nats_V) / max(1, len(corpus.held_out)),
    )  # fmt: skip


def together(settings: Sequence[Setting], steps: Sequence[float | None], seeds: int) -> Conditions:
    """Return the conditions of cells with these settings that took so many steps each."""
    passes = [
        (count or 0) * one.batch * one.context / max(1, one.tokens) for one, count in zip(settings, steps, strict=True)
    ]
    return Conditions(
        tuple(dict.fromkeys(one.text for one in settings)), _each(one.bytes for one in settings),
        tuple(sorted({float(f"{value:.3g}") for value in passes})), _each(one.layers for one in settings),
        _each(one.width for one in settings), _each(one.context for one in settings),
        _each(one.batch for one in settings), _each(round(count or 0) for count in steps), seeds,
    )  # fmt: skip


def _each(values: object) -> tuple[int, ...]:
    return tuple(sorted(set(values)))  # type: ignore[call-overload]


def _either(values: Sequence[float]) -> str:
    """Return all of a few values, or the ends of many.

    Example:
        >>> _either([2, 16]), _either([1, 2, 3, 4])
        ('2 or 16', '1 to 4')
    """
    return _ends([f"{value:,}" for value in values])


def _read(passes: Sequence[float]) -> str:
    """Return how often a text is read, from the least to the most.

    Example:
        >>> _read([25.0]), _read([0.02]), _read([0.5, 3.0])
        ('read 25 times', 'of which 2% is read', 'read 0.5 or 3 times')
        >>> _read([0.01, 0.02, 0.4]), _read([0.5, 1.0, 3.0])
        ('of which 1% to 40% is read', 'read 0.5 to 3 times')
    """
    if all(value < 1 for value in passes):
        return f"of which {_ends([share(value) for value in passes])} is read"
    told = _ends([short(value) for value in passes])
    return "read once" if told == "1" else f"read {told} times"


def share(passes: float) -> str:
    """Return a part of a pass in percent, by two digits, or by three where two would say that it is a whole one.

    Example:
        >>> share(0.188), share(0.996)
        ('19%', '99.6%')
    """
    return f"{100 * passes:.{2 if passes < 0.995 else 3}g}%"


def _ends(shown: Sequence[str]) -> str:
    return " or ".join(shown) if len(shown) <= 2 else f"{shown[0]} to {shown[-1]}"
