"""A tiny learner and its held-out text, for the tests of passes and budgets."""

from __future__ import annotations

from pathlib import Path

from mainstem import config, data, model
from mainstem.train import device
from mainstem.train.step import Learner


def made(tmp_path: Path, sampled: int = 160, size: int = 12000) -> tuple[Learner, data.Tokens]:
    """Return a learner with windows of 16 bytes, and its held-out part: a tenth of `size` bytes."""
    text = tmp_path / "text.txt"
    text.write_text("".join(f"line {i * i % 97} of {i}, " for i in range(size))[:size])
    run = config.resolve(
        config.Run(
            data=config.Data(paths=[str(text)], tokenizer="byte"),
            model=config.Model(layers=1, width=16, heads=2, context=16),
            train=config.Train(batch=4),
            evaluate=config.Evaluate(tokens=sampled),
        )
    )
    corpus = data.prepare(run.data, tmp_path / "cache")
    network = model.build(run.model, run.noise, corpus.tokenizer.vocab_size, 0)
    return Learner.of(run, network, corpus.train, device.choose(run.machine)), corpus.held_out
