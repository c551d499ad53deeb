"""How many steps fit into a budget of wall time, from timing a few of them. May import everything below the loop."""

from __future__ import annotations

import copy
import statistics
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from . import evaluation
from .evaluation import Windows
from .phases import Clock, Phases
from .step import Learner

_TRIAL = 20
"""Steps that are timed, after one that warms up."""

_SHARE = 0.04
"""Share of a budget that the timing may take."""

_TOKENS = 8192
"""Tokens of the pass that is timed, of either side."""

_END = 3.0
"""Seconds that samples and the report take after the last pass; they get at most a tenth of a budget."""

_WORTH = 100
"""Steps of a run from which on a few more are worth knowing how long it takes."""

_GLANCE = 0.5
"""Seconds of steps that are timed for that."""

Tell = Callable[[str, int, int], None]


class Costs(NamedTuple):
    """Seconds: of a step, of a predicted token in a pass, and of what happens once besides both."""

    step: float
    token: float
    once: float


def steps(learner: Learner, held_out: Any, budget: float, began: float, clock: Clock, tell: Tell | None = None) -> int:
    """Return how many steps fit into `budget` seconds that began at `began`; 0 where not even one does.

    Counted are steps, passes in between, before the first step and at the end, what has passed since `began` (reading,
    tokens), compiling, and an end of a few seconds. The steps that are timed are thrown away.
    """
    costs = timed(learner, held_out, budget, clock, tell)
    left = budget - (clock() - began) - min(_END, 0.1 * budget) - costs.once
    most = max(0, int(left / max(costs.step, 1e-9)))
    return bisect_right(range(1, most + 1), left, key=lambda number: duration(learner, held_out, number, costs))


def duration(learner: Learner, held_out: Any, number: int, costs: Costs) -> float:
    """Return the seconds of `number` steps from the first one on, with their passes."""
    run, few = learner.run, evaluation.sample(learner, held_out).tokens
    end = evaluation.last(learner, held_out, number * run.train.batch * learner.plan.context)
    passes = 1 + evaluation.passes(number, run.evaluate.every)
    return number * costs.step + (passes * few + (0 if end is None else end.tokens)) * costs.token


def estimate(learner: Learner, held_out: Any, number: int, clock: Clock, tell: Tell | None = None) -> float | None:
    """Return about how many seconds a run of `number` steps takes, by timing a few that are thrown away.

    None where it would take as long to say so: for a short run, and where a step has to be compiled first.
    """
    if number < _WORTH or learner.run.machine.compile != "off":
        return None
    costs = timed(learner, held_out, _GLANCE / _SHARE, clock, tell)
    return costs.once + duration(learner, held_out, number, costs)


def timed(learner: Learner, held_out: Any, budget: float, clock: Clock, tell: Tell | None = None) -> Costs:
    """Take a few steps and a short pass with a copy of the model, and return what each costs."""
    own = Learner.of(learner.run, copy.deepcopy(learner.model), learner.text, learner.place)
    times: list[float] = []
    while len(times) <= _TRIAL and sum(times[1:]) <= _SHARE * budget:
        before = clock()
        own.step(len(times) + 1, _TRIAL + 1, Phases(clock))
        if own.place.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - before)
        if tell is not None:
            tell("timing", len(times), _TRIAL + 1)
    if tell is not None:
        tell("timing", 1, 1)
    step = statistics.median(times[1:])
    few = max(evaluation.FEWEST, _TOKENS // own.plan.context)
    windows = evaluation.sample(own, held_out)
    some = Windows(min(few, windows.held_out), min(few, windows.training), 0)
    before = clock()
    found = evaluation.taken(own, held_out, some, step=0)
    token = (clock() - before) / (found.tokens + some.training * own.plan.context)
    # The first step compiles, where something is compiled, and the run's own first step will do so again.
    return Costs(step, token, max(0.0, times[0] - step))
