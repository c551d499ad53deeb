"""A second task, for the tests of what is the same for all: repeat digits after a pause, scored by accuracy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mainstem import Residual, config, noise
from mainstem.runs.score import Score
from mainstem.runs.state import Gap, Scores
from mainstem.train.batch import Batch
from mainstem.train.device import Forward
from mainstem.train.learner import Learner
from mainstem.train.task import Part, Stop, Task, Tell

DIGITS, LENGTH, WIDTH = 5, 3, 32


class Sequences(NamedTuple):
    """Digits to train on and to measure with, int64 [N, LENGTH]."""

    train: Tensor
    held_out: Tensor
    facts: dict[str, Any]


class Copier(nn.Module):
    """Embedded digits and positions, one residual over all of them at once, a head: logits [B, T, DIGITS]."""

    def __init__(self) -> None:
        super().__init__()
        self.digits = nn.Embedding(DIGITS + 1, WIDTH)
        self.places = nn.Embedding(2 * LENGTH, WIDTH)
        size = 2 * LENGTH * WIDTH
        self.residual = Residual([nn.Linear(size, size), nn.ReLU(), noise.Dropout(0.1), nn.Linear(size, size)])
        self.head = nn.Linear(WIDTH, DIGITS)
        noise.bind(self)

    def forward(self, digits_BT: Tensor, positions_BT: Tensor) -> Tensor:
        x_BTD = self.digits(digits_BT) + self.places(positions_BT)
        out: Tensor = self.head(self.residual(x_BTD.flatten(1)).view_as(x_BTD))
        return out


class Copying(Task):
    """Repeat LENGTH digits after LENGTH blanks have come; only the targets behind the digits count."""

    name = "copying"
    scores = (
        Score("accuracy", "held-out accuracy", "of 1", lower=False),
        Score("nats_per_digit", "held-out loss", "nats per digit"),
    )
    counted = "digits"

    def prepare(self, run: config.Run, cache: Path, tell: Tell | None = None) -> Sequences:
        numbers = torch.arange(DIGITS**LENGTH)
        digits = torch.stack([numbers // DIGITS**place % DIGITS for place in range(LENGTH)], 1)
        held = numbers * 7 % 10 == 0
        found = {"hash": hashlib.sha256(digits.numpy().tobytes()).hexdigest(), "sequences": len(digits)}
        return Sequences(digits[~held], digits[held], found)

    def build(self, run: config.Run, data: Any) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(run.seed)
            return Copier()

    def size(self, data: Any) -> int:
        return int(data.train.numel())

    def targets(self, model: nn.Module) -> int:
        return LENGTH

    def batch(self, learner: Learner, step: int, slots: range) -> Batch:
        first, train = (step - 1) * learner.run.train.batch, learner.data.train
        return sequences(train[[(first + slot) * 7 % len(train) for slot in slots]], slots)

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        assert batch.weight is not None
        logits_BTV = forward(**batch.inputs)
        loss_BT = nn.functional.cross_entropy(logits_BTV.transpose(1, 2), batch.targets, reduction="none")
        return (loss_BT * batch.weight).sum()

    def sample(self, learner: Learner) -> Part:
        held = len(learner.data.held_out)
        return Part(held, held, 2 * held * LENGTH)

    @torch.no_grad()
    def evaluate(
        self, learner: Learner, part: Part, stop: Stop | None = None, tell: Callable[[int], None] | None = None
    ) -> Scores:
        learner.model.eval()
        (right, nats), (seen, _) = (
            measured(learner.model, digits[: part.held_out]) for digits in (learner.data.held_out, learner.data.train)
        )
        learner.model.train()
        gap = Gap(right - seen, right - seen - 0.1, right - seen + 0.1, seen, right)
        values = {"accuracy": right, "nats_per_digit": nats}
        return Scores(values=values, tokens=part.held_out * LENGTH, gap=gap)


def sequences(digits: Tensor, slots: range) -> Batch:
    """Return digits and blanks as inputs, blanks and digits as targets, of which the blanks weigh nothing."""
    blank = torch.full_like(digits, DIGITS)
    positions = torch.arange(2 * LENGTH).expand(len(digits), -1)
    weight = torch.cat([torch.zeros(digits.shape), torch.ones(digits.shape)], 1)
    inputs = {"digits_BT": torch.cat([digits, blank], 1), "positions_BT": positions}
    return Batch(inputs, torch.cat([torch.zeros_like(digits), digits], 1), slots, weight)


def measured(model: nn.Module, digits: Tensor) -> tuple[float, float]:
    """Return the share of digits that are repeated rightly, and the nats per digit."""
    batch = sequences(digits, range(len(digits)))
    logits = model(**batch.inputs)[:, LENGTH:]
    right = (logits.argmax(-1) == digits).float().mean()
    return float(right), float(nn.functional.cross_entropy(logits.flatten(0, 1), digits.flatten()))
