"""The tables that runs are chosen from. Each row says what it rests on.

`docs/results/choice.md` has the measurements, with `recipe.md` and `tokenizers.md` beside it.
"""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """A shape, taken where `steps` of its steps fit into the time and the training text has `tokens`.

    `batch` is that of the steps that are counted; `BATCHES` may have another one.
    """

    layers: int
    width: int
    context: int
    batch: int
    steps: int
    tokens: int
    basis: str


SIZES = (
    Size(2, 64, 128, 16, 0, 0, "measured"),
    Size(2, 96, 128, 16, 200, 0, "measured"),
    Size(2, 128, 128, 16, 600, 0, "measured"),
    Size(4, 128, 128, 16, 750, 0, "measured"),
    Size(4, 192, 128, 16, 2000, 800_000, "fitted at 51 and 254 s"),
    Size(6, 256, 128, 16, 4600, 1_500_000, "extrapolated"),
    Size(8, 384, 128, 16, 16_000, 5_000_000, "extrapolated"),
)
"""From the smallest on; the last one whose conditions hold is taken.

Up to 4 x 128: arms of 5, 15 and 51 s of steps on Shakespeare and the King James Bible, one seed. On the Bible 4 x 192
needs 0.028 bits per byte more than 4 x 128 in 51 s, and 0.005 fewer in 254 s, which hold 2,191 of its steps. What
follows has not been trained: the time at which two sizes are level is taken to grow with the square of their
parameters, to six times as much for 6 x 256 and to eight times that for 8 x 384."""


class Batch(NamedTuple):
    """Sequences of a step, taken where so many `steps` of the size's own batch fit, in passes from `low` to `high`."""

    batch: int
    steps: int
    low: float
    high: float
    basis: str


BATCHES = (Batch(32, 750, 1.5, 3.0, "measured at 2 passes"),)
"""The first one whose conditions hold is taken, or else the batch of the size.

In place of 16, 32 sequences give 0.015 and 0.016 bits per byte fewer on the King James Bible in two passes (two seeds);
in half a pass of Python's standard library 0.025 fewer with one seed and 0.011 more with another; in six passes of
Shakespeare 0.020 more (one seed)."""


class Rates(NamedTuple):
    """Peak learning rates up to a width: of AdamW, which has the embedding, and of Muon, which has the matrices."""

    width: int
    lr: float
    muon_lr: float
    basis: str


RATES = (Rates(1 << 24, 2e-2, 0.028, "measured at 4 x 128"),)


class Regularization(NamedTuple):
    """From so many passes over the text on: the rate of dropout at all sites, and weight decay."""

    passes: float
    dropout: float
    decay: float
    basis: str


REGULARIZATION = (
    Regularization(0.0, 0.0, 0.1, "measured at 0.5"),
    Regularization(2.0, 0.0, 0.4, "measured at 2, 5 and 8"),
)

MOST, MOST_BASIS = 20.0, "measured"
"""Passes over the text that a run takes at most: what is seen more often is learned by heart. On 300 kB of Moby Dick 8,
20 and 40 passes come to 2.450, 2.421 and 2.477 bits per byte (one seed, decay 0.4)."""

MEMBERS, EACH, MEMBERS_BASIS = 8, 6.0, "measured"
"""Networks of an ensemble at most, and passes over the text of each from which on another network is worth more than
more of them. Bits per byte of 2 networks, and of one in the same time (one seed, decay 0.4): 300 kB of Moby Dick in 4
passes each 2.435, one in 8 passes 2.450; in 8 passes each 2.368, one in 20 passes 2.421; proteins in 20 passes each
2.400, one in 20 passes 2.505, which more passes do not better; Shakespeare in 5 passes each 2.037, one in 10 about
2.034, between 2.075 in 5 and 2.021 in 12. By 2007.08483 the loss of n networks falls towards that of very many by a
power of n; with the power 1, 8 have seven eighths of what there is to gain."""

FIXED, USABLE = 5.0, 0.96
"""Seconds of a budget, besides what has passed, that no step gets, and which share of the rest steps do: the end,
passes and checkpoints take the others (`python benchmarks/budget.py`)."""

FEWEST = 50
"""Steps of which fewer learn little, so that more time is asked for."""

WINDOWS = 8
"""Windows that the training text must have: of a short text the context is a part."""

PASSES, APART, MINUTE = 12, 100, 60.0
"""Held-out passes in a run; steps between two of them at least, as a pass takes as long as five; seconds at most."""

WAITS, LEAST = 0.4, 5
"""Share of the passes that may come without a gain before a run ends, and how many may at least."""
