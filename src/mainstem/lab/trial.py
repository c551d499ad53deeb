"""One training in memory: a configuration, a seed, a text.

The steps that `mainstem train` takes, by the same function, without a folder, checkpoints or a page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from torch import nn
from torch.optim import Optimizer

from .. import config, data, model
from ..measure.evaluate import Held, over
from ..runs import weights
from ..train import Learner, device, keeping
from ..train.gap import training_windows
from ..train.language import Language
from ..train.world import ALONE
from .experiment import Cell

PIECE = 1024
"""Tokens of a piece, at least: a part of a text is made of such, from all over it."""

_WINDOWS = 128

AfterStep = Callable[[int, nn.Module], None]


@dataclass
class Trial:
    """What an experiment's `trial` is given: the cell and its whole configuration, the seed in it, and the text.

    `limit` ends a training after as many steps, however many the configuration says: the engine measures with it what
    a trial costs. ``tell(step, steps)`` is called after each step. `seconds` are those of the steps of the last
    training alone, each like those behind the first, which warms up and compiles. `optimizer` is that of the last
    training, for an `after_step` that needs its moments.
    """

    cell: Cell
    run: config.Run
    corpus: data.Corpus
    limit: int | None = None
    tell: Callable[[int, int], None] = lambda step, steps: None
    seconds: float = field(default=0.0, init=False)
    optimizer: Optimizer | None = field(default=None, init=False)

    @property
    def at(self) -> dict[str, Any]:
        """Where in the grid the cell is."""
        return dict(self.cell.at)

    @property
    def place(self) -> device.Place:
        """Where the networks compute, and in which precision; a call of one belongs inside `place.autocast()`."""
        return device.choose(device.settle(self.run).machine)

    def build(self) -> model.LanguageModel:
        """Return the model at its initial weights, on the run's device."""
        found = model.build(self.run.model, self.run.noise, self.corpus.tokenizer.vocab_size, self.run.seed)
        assert isinstance(found, model.LanguageModel)  # `Experiment.check` leaves no members
        return found.to(self.place.device)

    def train(self, after_step: AfterStep | None = None, network: model.LanguageModel | None = None) -> Trained:
        """Train `network` (a new one by default) for `train.steps` steps and return it with the losses.

        Where the cell limits its `tokens`, ``train.steps * train.batch * model.context / tokens`` epochs are taken.
        ``after_step(step, model)`` is called after each update. A loss that is no longer finite ends the training; the
        losses then end with nan.
        """
        run = device.settle(self.run)
        network = self.build() if network is None else network
        text = self.corpus.train if self.cell.tokens is None else spread(self.corpus.train, self.cell.tokens)
        steps, corpus = run.train.steps or 1, self.corpus._replace(train=text)
        learner = Learner.of(run, Language(), corpus, ALONE, steps=steps, network=network)
        self.optimizer = learner.optimizer
        losses: list[float] = []
        began = warm = time.perf_counter()
        for step in range(1, min(steps, self.limit or steps) + 1):
            losses.append(float(learner.step(step).numbers["loss"]))
            if not math.isfinite(losses[-1]):
                break
            self.tell(step, steps)
            if after_step is not None:
                after_step(step, network)
            warm = time.perf_counter() if step == 1 else warm
        now, count = time.perf_counter(), len(losses)
        self.seconds = (now - warm) * count / (count - 1) if count > 1 else now - began
        weights.put(network, keeping.measured(learner), "the average of the weights")
        return Trained(network, losses, text, self.corpus, learner)


class Trained(NamedTuple):
    """A model after its training, the loss of each step, and the text it saw.

    Where `optim.average` keeps an average of the weights, the model holds the average. `learner` has trained it:
    its `evaluate` measures what `mainstem train` would, and how it computed is how everything is measured.
    """

    model: model.LanguageModel
    losses: list[float]
    text: data.Tokens
    corpus: data.Corpus
    learner: Learner

    @property
    def masked(self) -> bool:
        """Whether attention saw no other document."""
        return self.learner.run.data.documents == "mask"

    @property
    def place(self) -> device.Place:
        """Where it was trained, and in which precision."""
        return self.learner.place

    @property
    def failed(self) -> bool:
        """Whether the training ended with a loss that is not finite."""
        return not self.losses or not math.isfinite(self.losses[-1])

    def held_out(self, windows: int = _WINDOWS) -> Held:
        """Return the loss over windows spread evenly over the held-out text, in eval mode."""
        return self._over(self.corpus.held_out, windows)

    def seen(self, windows: int = _WINDOWS) -> Held:
        """Return the loss over as many windows of the training text, in eval mode."""
        return self._over(self.text, windows)

    def losses_of(self, windows: int = _WINDOWS) -> dict[str, float]:
        """Return ``held_out``, ``train`` and ``gap``, in nats per token, all in eval mode.

        A model that has come to nothing (a loss beyond that of a uniform guess, or none) counts as a uniform guess:
        how far an explosion went is chance.
        """
        worst = math.log(self.corpus.tokenizer.vocab_size)
        held, seen = (
            min(value, worst) if math.isfinite(value) else worst
            for value in (self.held_out(windows).nats_per_token, self.seen(windows).nats_per_token)
        )
        return {"held_out": held, "train": seen, "gap": held - seen}

    def train_loss(self, last: int = 10) -> float:
        """Return the mean loss of the last steps, with noise; that of a uniform guess where it is worse."""
        worst = math.log(self.corpus.tokenizer.vocab_size)
        some = self.losses[-last:]
        mean = math.fsum(some) / len(some) if some else math.nan
        return min(mean, worst) if math.isfinite(mean) else worst

    def _over(self, tokens: data.Tokens, windows: int) -> Held:
        some = training_windows(tokens, self.model.context, windows, self.masked)
        held = over(self.model, some, self.place.autocast)
        return held._replace(nats_per_token=math.nan, bits_per_byte=math.nan) if self.failed else held


def spread(tokens: data.Tokens, count: int) -> data.Tokens:
    """Return `count` tokens, or a few less, in pieces of 1,024 or more spread evenly over `tokens`, or all of them."""
    if count >= len(tokens):
        return tokens
    pieces = max(1, count // PIECE)
    size = count // pieces
    starts = (np.arange(pieces) * (len(tokens) - size)) // max(1, pieces - 1) if pieces > 1 else np.zeros(1, int)
    parts = [tokens.part(int(start), int(start) + size) for start in starts]
    ids = np.concatenate([np.asarray(part.ids) for part in parts])
    documents = np.concatenate([part.documents + i * size for i, part in enumerate(parts)])
    return data.Tokens(ids, documents, sum(part.num_bytes for part in parts), tokens.lengths_V)
