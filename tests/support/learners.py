"""A tiny learner, for the tests of passes and budgets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec

from mainstem import config
from mainstem.train import Learner
from mainstem.train.language import Language
from mainstem.train.losses import target_loss
from mainstem.train.world import ALONE


def made(tmp_path: Path, sampled: int = 160, size: int = 12000, steps: int = 100, batch: int | None = None) -> Learner:
    """Return a learner with windows of 16 bytes, and a held-out part that is a tenth of `size` bytes."""
    text = tmp_path / "text.txt"
    text.write_text("".join(f"line {i * i % 97} of {i}, " for i in range(size))[:size])
    run = config.resolve(
        config.Run(
            data=config.Data(paths=[str(text)], tokenizer="byte"),
            model=config.Model(layers=1, width=16, heads=2, context=16),
            train=config.Train(batch=4),
            evaluate=config.Evaluate(tokens=sampled, batch=batch),
        )
    )
    task = Language()
    return Learner.of(run, task, task.prepare(run, tmp_path / "cache"), ALONE, steps=steps)


def with_loss(learner: Learner, loss: config.Loss) -> Learner:
    """Return `learner` as it minimises `loss`, with no more than its values."""
    run = msgspec.structs.replace(learner.run, loss=loss)
    return dataclasses.replace(learner, run=run, target_loss=target_loss.parse(loss))
