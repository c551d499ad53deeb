"""From a configuration and a corpus to what learns, and what is known of it."""

from __future__ import annotations

import copy
from time import perf_counter
from typing import Any

import msgspec

from .. import config, names, optim
from ..errors import BadInput
from ..runs import environment, facts
from ..runs.past import NOTHING, Past
from . import budget, device, length
from .learner import Learner
from .losses import target_loss
from .losses.target_loss import TargetLoss
from .phases import Clock, Phases
from .task import Data, Task, Tell
from .world import World


def assemble(
    run: config.Run,
    task: Task,
    data: Data,
    world: World,
    *,
    began: float | None = None,
    clock: Clock = perf_counter,
    tell: Tell | None = None,
    past: Past = NOTHING,
    steps: int | None = None,
    loss: TargetLoss | None = None,
) -> tuple[Learner, facts.Facts]:
    """Return what learns as `run` says, of which `past` is known, and the facts that are known before its first step.

    `began` is when the time of `train.budget` began, by `clock`; now, where it is not given.
    ``tell(what, done, total)`` is called while a few steps are timed for it, unless it is known that `steps` fit.
    `loss` is what it minimises, where that has begun already.
    Raises `BadInput` where two parts do not go together.
    """
    start = clock() if began is None else began
    network = task.build(run, data)
    _check_data(data, past, run)

    loss = target_loss.of(run, task, network, data, device.choose(run.machine), loss)

    def fitting(seconds: float) -> int:
        if steps is not None:
            return steps
        trial = budget.thrown_away(run, task, data, copy.deepcopy(network), clock, world, loss)
        return budget.steps(trial, seconds, start, clock, tell)

    tokens = run.train.batch * task.targets(network)
    resolved = length.resolve(run.train, task.size(data), tokens, past.lengths, fitting)
    learner = Learner.of(run, task, data, world, steps=resolved.steps, network=network, phases=Phases(clock), loss=loss)
    _check_loss(learner, past.facts, run)
    return learner.lasting(resolved), {**gather(learner), "length": msgspec.to_builtins(resolved)}


def gather(learner: Learner) -> facts.Facts:
    """Return what is known before the first step."""
    network = learner.model
    rows = optim.table(network, learner.optimizer, learner.penalties)
    return {
        "version": 2,
        "command": environment.command(),
        "versions": environment.versions(),
        "machine": {
            **environment.machine(learner.place.device),
            "dtype": learner.run.machine.dtype,
            "compile": learner.run.machine.compile,
            "processes": learner.world.size,
        },
        "task": learner.task.name,
        "scores": msgspec.to_builtins(learner.task.scores),
        "source": learner.task.source,
        "counted": learner.task.counted,
        **learner.task.facts(learner.data),
        **(learner.target_loss.facts if learner.task.reads_loss else {}),
        "parameters": [row._asdict() for row in rows],
        "num_parameters": sum(p.numel() for p in network.parameters()),
        **({"members": len(several)} if (several := names.networks(network)) else {}),
    }


def environment_of(learner: Learner) -> dict[str, Any]:
    """Return what decides the last bits of a run's numbers."""
    machine = environment.machine(learner.place.device)
    return {**machine, "processes": learner.world.size, **environment.versions()}


def _check_loss(learner: Learner, before: facts.Facts | None, run: config.Run) -> None:
    if not learner.task.reads_loss:
        return
    for name, now in learner.target_loss.facts.items():
        if before is not None and _what(before.get(name, now)) != _what(now):
            raise BadInput(
                f"The {name} of {run.out!r} has changed since the run began: {now} was {before[name]}. Put the old one "
                "back, or begin another run under another --out."
            )


def _what(fact: Any) -> Any:
    """Return what `fact` says, but for the folder in which it lies: that may be written otherwise now."""
    return {name: value for name, value in fact.items() if name != "run"} if isinstance(fact, dict) else fact


def _check_data(data: Data, past: Past, run: config.Run) -> None:
    parts = (
        ("data", "hash", past.corpus, "put the old data back"),
        ("held-out part", "held_out_hash", past.held_out, "use the mainstem that began it"),
    )
    for what, name, before, remedy in parts:
        now = data.facts.get(name)
        if before is not None and now is not None and before != now:
            raise BadInput(
                f"The {what} of {run.out!r} has changed since the run began (its hash is {now[:12]}, and was "
                f"{before[:12]}): {remedy}, or begin another run under another --out."
            )
