"""A first guess of how many steps fit into a budget of wall time, by timing a few."""

from __future__ import annotations

import copy
import statistics
from bisect import bisect_right
from typing import Any, NamedTuple

import torch
from torch import nn

from .. import config, names
from ..runs.state import State
from . import cadence
from .learner import Learner
from .losses.target_loss import TargetLoss
from .pace import TARGET, end
from .phases import Clock, Phases
from .task import Task, Tell
from .world import ALONE, World

_TRIAL = 20
"""Steps that are timed at most, after one that warms up."""

_GUESS, _GLANCE = 0.2, 0.5
"""Seconds of steps that are timed for the first guess of a budget, which the run's own pace corrects, and to say how
long a run takes."""

_WORTH = 100
"""Steps of a run from which on a few more are worth knowing how long it takes."""


class Costs(NamedTuple):
    """Seconds: of a step, of a target in a pass, and of what happens once besides both."""

    step: float
    token: float
    once: float


def steps(trial: Learner, budget: float, began: float, clock: Clock, tell: Tell | None = None) -> int:
    """Return how many steps fit into `budget` seconds that began at `began`; 0 where not even one does.

    Counted are steps, passes in between, before the first step and at the end, what has passed since `began` (reading,
    tokens), compiling, and an end of a few seconds. The steps that are timed are those of `trial`, as of `timed`.
    """
    costs = timed(trial, min(_GUESS, 0.01 * budget), clock, tell)
    left = budget - (clock() - began) - end(budget, len(names.networks(trial.model)) or 1) - costs.once
    most = max(0, int(left / max(costs.step, 1e-9)))
    return bisect_right(range(1, most + 1), left, key=lambda number: duration(trial, number, costs))


def duration(learner: Learner, number: int, costs: Costs) -> float:
    """Return the seconds of `number` steps from the first one on, with their passes."""
    run, task = learner.run, learner.task
    whole = task.whole(learner, number * run.train.batch * task.targets(learner.model))
    measured = (run.evaluate.start + cadence.passes(number, run.evaluate.every)) * task.sample(learner).tokens
    return number * costs.step + (measured + (0 if whole is None else whole.tokens)) * costs.token


def estimate(learner: Learner, clock: Clock, tell: Tell | None = None) -> float | None:
    """Return about how many seconds all steps of `learner` take, by timing a few with a copy of it.

    None where it would take as long to say so: for a short run, where a step has to be compiled first, and where the
    model lies in parts, of which no process has a copy.
    """
    if learner.steps < _WORTH or learner.run.machine.compile != "off" or learner.spread is not None:
        return None
    run, task, data, world = learner.run, learner.task, learner.data, learner.world
    trial = thrown_away(run, task, data, copy.deepcopy(learner.model), clock, world, learner.target_loss)
    costs = timed(trial, _GLANCE, clock, tell)
    return costs.once + duration(learner, learner.steps, costs)


def left(learner: Learner, state: State, clock: Clock, tell: Tell | None = None) -> float | None:
    """Return about how many seconds a run goes on for from `state`, by those it has taken, or by timing.

    None where a budget says it, and where the run is too short to be timed.
    """
    if state.step:
        return (learner.steps - state.step) * state.seconds / state.step
    return None if learner.run.train.budget is not None else estimate(learner, clock, tell)


def thrown_away(
    run: config.Run,
    task: Task,
    data: Any,
    network: nn.Module,
    clock: Clock,
    world: World = ALONE,
    loss: TargetLoss | None = None,
) -> Learner:
    """Return a learner to be timed, which trains `network` on its share in `world`: nothing else sees that again.

    `loss` is what it minimises, as `Learner.of` has it.
    """
    steps = _TRIAL + 1
    return Learner.of(run, task, data, world.apart(), steps=steps, network=network, phases=Phases(clock), loss=loss)


def timed(trial: Learner, seconds: float, clock: Clock, tell: Tell | None = None) -> Costs:
    """Take steps with `trial`, which is thrown away, for as many seconds, and return what they cost."""
    times: list[float] = []
    while len(times) <= _TRIAL and sum(times[1:]) <= seconds:
        before = clock()
        trial.step(len(times) + 1)
        if trial.place.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - before)
        if tell is not None:
            tell("timing", len(times), _TRIAL + 1)
    if tell is not None:
        tell("timing", 1, 1)
    step = statistics.median(times[1:])
    token = TARGET * step / (trial.run.train.batch * trial.task.targets(trial.model))
    # The first step compiles, where something is compiled, and the run's own first step will do so again.
    return Costs(step, token, max(0.0, times[0] - step))
