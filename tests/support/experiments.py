"""A small text, and trials of an experiment on it that take a few steps."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from mainstem import config, data
from mainstem.data.tokenizer.byte import Byte
from mainstem.lab.engine import LAB
from mainstem.lab.experiment import Cell, Experiment
from mainstem.lab.trial import Trial

TINY: dict[str, Any] = {
    "model.layers": 2, "model.width": 16, "model.heads": 2, "model.context": 16, "train.batch": 4, "train.steps": 3,
    "train.threads": 1,
}  # fmt: skip


@functools.cache
def corpus(size: int = 4000) -> data.Corpus:
    """Return a text of made-up words, four fifths of it to train on."""
    draw = np.random.default_rng(0)
    words = [b"stream", b"branch", b"norm", b"drop", b"rate", b"weight", b"loss", b"step"]
    text = b" ".join(words[i] for i in draw.integers(len(words), size=size))[:size]
    ids, cut = np.frombuffer(text, np.uint8), size * 4 // 5
    tokenizer = Byte()
    parts = [
        data.Tokens(part, np.zeros(1, np.int64), len(part), np.ones(tokenizer.vocab_size, np.int64))
        for part in (ids[:cut], ids[cut:])
    ]
    return data.Corpus(parts[0], parts[1], tokenizer, {"hash": "a", "held_out_hash": "b"})


def trial(cell: Cell, **settings: Any) -> Trial:
    """Return a trial of `cell` on the small text, in a small model; `settings` have "__" for each dot."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    return Trial(cell, config.load({**LAB, **TINY, **cell.settings, "seed": 0, **given}), corpus())


def cell(experiment: Experiment, name: str) -> Cell:
    """Return the cell of that name."""
    return next(one for one in experiment.cells if one.name == name)


def run(experiment: Experiment) -> dict[str, dict[str, float | list[float]]]:
    """Run each cell's trial in a few steps; every number of it must be finite."""
    found = {one.name: dict(experiment.trial(trial(one))) for one in experiment.cells}
    for numbers in found.values():
        for name, value in numbers.items():
            assert all(map(math.isfinite, value if isinstance(value, list) else [value])), name
    return found
