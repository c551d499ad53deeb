"""A text that is read so often that a network learns it by heart: what experiments on overfitting share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .experiment import Numbers
from .trial import Trial

TOKENS = 8192
"""Tokens of a text that is repeated: 200 steps of 16 windows of 64 read it 25 times. `--repeated` takes others."""

BASE: Mapping[str, Any] = {"model.layers": 2, "optim.lr": 5e-3, "train.steps": 200}
"""Settings under which a network without regularization overfits `TOKENS` tokens.

Chosen by trial runs with seeds from 100 on (the engine counts from 0): the gap between held-out and training text
comes to about 1.5 nats per byte.
"""

DELTA = 0.02
"""Smallest held-out effect of interest in nats per byte: about one percent of the loss, and what a regularizer has
to bring before it is worth its search for a strength."""

GAP = 0.1
"""Smallest effect of interest on the gap, in nats per byte: a fifteenth of what there is without regularization."""


def losses(trial: Trial) -> Numbers:
    """Train on the cell's text and return ``held_out``, ``train`` and ``gap`` in eval mode."""
    return trial.train().losses_of()
