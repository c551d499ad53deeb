"""How fast this machine trains, by a few steps of two shapes that are thrown away."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import choice, config
from . import budget
from .losses.target_loss import TargetLoss
from .phases import Clock
from .task import Task, Tell
from .world import ALONE, World

_PROBES = ((4, 128), (4, 256))
"""Layers and width of what is timed: where passes over memory take most of a step, and where products do."""

_SHARE, _MOST = 0.01, 2.0
"""Share of a budget that timing may take, and seconds at most; a step to warm up and one more are always taken."""


def measure(
    run: config.Run,
    task: Task,
    data: Any,
    corpus: choice.Corpus,
    seconds: float,
    clock: Clock,
    tell: Tell | None,
    world: World = ALONE,
) -> tuple[list[tuple[choice.Shape, float]], TargetLoss | None]:
    """Return the seconds of a step of two shapes, in a run of `world` with a budget of so many `seconds`, and the loss
    that has begun with them."""
    each = min(_MOST, _SHARE * seconds) / len(_PROBES)
    found = []
    loss: TargetLoss | None = None
    for layers, width in _PROBES:
        small = _probe(run, layers, width, corpus.tokens)
        trial = budget.thrown_away(small, task, data, task.build(small, data), clock, world, loss)
        loss = trial.target_loss
        took = budget.timed(trial, each, clock, tell).step
        assert small.model.context is not None
        shape = choice.Shape(layers, width, small.model.context, small.train.batch, corpus.vocabulary)
        found.append((shape, took))
    return found, loss


def _probe(run: config.Run, layers: int, width: int, tokens: int) -> config.Run:
    """Return `run` with a model of this shape, and without what takes long before the first step."""
    model = msgspec.structs.replace(
        run.model, layers=layers, width=width, heads=4, kv_heads=None, head_width=None, hidden=None, members=1,
        context=choice.fitting(run.model.context or 1, tokens),
    )  # fmt: skip
    machine = msgspec.structs.replace(run.machine, compile="off")
    return config.resolve(msgspec.structs.replace(run, model=model, machine=machine))
