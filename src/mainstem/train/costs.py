"""What a value of a configuration costs beside others: time of a step, memory, parameters.

The sides take turns in one process, a few steps each, on random tokens. So only ratios mean anything, and whatever else
the machine does meets all of them.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from .. import config, noise
from ..data.tokens import Tokens
from . import device
from .language import Language
from .learner import Learner
from .phases import Clock, Phases
from .world import ALONE

_TOKENS = 1 << 16
"""Random tokens that steps are taken on."""


class Cost(NamedTuple):
    """What one side costs: `step` is the median of the ratios to the first side within a round, `turns` are all of
    them; `kept` are the bytes that autograd keeps for backward beside the parameters, which are `parameters`."""

    step: float
    turns: list[float]
    kept: int
    parameters: int

    @property
    def spread(self) -> tuple[float, float]:
        """Return the quartiles of the turns."""
        ordered = sorted(self.turns)
        return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


def compared(
    runs: Mapping[str, config.Run], vocabulary: int, rounds: int, clock: Clock, tell: Callable[[int, int], None]
) -> dict[str, Cost]:
    """Return what each of `runs` costs; the first one is what the others are measured against.

    A round is one step of each, between two of the first one, whose mean it is divided by. `tell` hears how many of how
    many steps of the sides have been taken: the first of each, which is not measured, and those of the rounds.

    Example:
        >>> import time
        >>> small = config.load({"model.layers": 1, "model.width": 8, "model.heads": 1, "train.batch": 1})
        >>> list(compared({"one": small, "other": small}, 8, 1, time.perf_counter, lambda at, of: None))
        ['one', 'other']
    """
    learners = {name: learner(run, vocabulary, clock) for name, run in runs.items()}
    numbers = {name: itertools.count(1) for name in runs}
    kept: dict[str, int] = {}

    def timed(name: str) -> float:
        before = clock()
        learners[name].step(next(numbers[name]))
        return clock() - before

    first, *others = runs
    done = itertools.count(1)
    total = len(runs) + rounds * len(others)
    for name in runs:
        kept[name] = kept_for_backward(learners[name])
        timed(name)  # the first step makes moments
        tell(next(done), total)
    turns: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name in others:
            before, own, after = timed(first), timed(name), timed(first)
            turns[name].append(2 * own / (before + after))
            tell(next(done), total)
        turns[first].append(1.0)
    return {
        name: Cost(statistics.median(turns[name]), turns[name], kept[name], _count(learners[name].model))
        for name in runs
    }


def learner(run: config.Run, vocabulary: int, clock: Clock) -> Learner:
    """Return a learner of `run` on random tokens of a vocabulary, with no text read."""
    run = device.settle(msgspec.structs.replace(run, data=config.Data()))
    ids = np.random.default_rng(0).integers(0, vocabulary, _TOKENS).astype("<u2")
    text = Tokens(ids, np.zeros(1, np.int64), len(ids), np.ones(vocabulary, np.int64))
    data = SimpleNamespace(train=text, held_out=text, tokenizer=SimpleNamespace(vocab_size=vocabulary))
    return Learner.of(run, Language(), data, ALONE, steps=1 << 20, phases=Phases(clock))


def kept_for_backward(learner: Learner) -> int:
    """Return the bytes that autograd keeps for backward of one micro-batch's forward pass, each storage once.

    Parameters are left out, and so is what the loss keeps, which is the same for all.
    """
    model, train = learner.model, learner.run.train
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    found: dict[int, tuple[int, Tensor]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            # The tensor is held, so that no later one has its address.
            found[storage.data_ptr()] = (storage.nbytes(), tensor.detach())
        return tensor

    rows = train.micro_batch or train.batch
    x_BT = torch.zeros(rows, learner.task.targets(model), dtype=torch.int64, device=learner.place.device)
    model.train()
    with (
        noise.counter(seed=0, step=1, samples=range(rows)),
        learner.place.autocast(),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        y_BTV = model(x_BT)
    kept = sum(size for size, _ in found.values())
    assert y_BTV.requires_grad  # the graph, and all it keeps, is alive until here
    return kept


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
