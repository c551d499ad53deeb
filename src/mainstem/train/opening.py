"""What a run says before its first step: its data, its model, its length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..runs.state import State
from ..wording import several
from .console import clock
from .learner import Learner


def opening(
    learner: Learner, told: Mapping[str, str], facts: dict[str, Any], state: State, folder: str, seconds: float | None
) -> str:
    """Return lines about a run that stands at `state` and goes on for about `seconds`, where that is known.

    `told` is what its task says of data and model; what is the same for all tasks follows. `folder` is where it lies,
    in words.
    """
    model = ", ".join([*filter(None, [told.get("model")]), _computed(learner, facts)])
    told = {**told, "model": model, "run": _length(learner, state, folder, seconds)}
    return "\n".join(f"{name:<5}  {text}" for name, text in told.items())


def passes(learner: Learner) -> float:
    """Return how often the run sees the training data."""
    return learner.steps * tokens(learner) / learner.task.size(learner.data)


def tokens(learner: Learner) -> int:
    """Return how many targets a step has."""
    return learner.run.train.batch * learner.task.targets(learner.model)


def _computed(learner: Learner, facts: dict[str, Any]) -> str:
    where, size = learner.place.device.type, learner.world.size
    if size > 1:
        where += f" in {size} processes"
    if learner.place.device.type == "cpu":
        where += f" with {several(facts['machine']['threads'], 'thread')}{' each' if size > 1 else ''}"
    return f"{facts['num_parameters']:,} parameters; on {where}, in {learner.run.machine.dtype}"


def _length(learner: Learner, state: State, folder: str, seconds: float | None) -> str:
    train, task = learner.run.train, learner.task
    most = "about " if train.budget is not None else "up to " if train.patience else ""
    begun = f", {state.step:,} of them taken" if state.step else ""
    if train.budget is not None and not state.step:
        time = f", within {train.budget}"
    else:
        time = "" if seconds is None else f", about {clock(seconds)}{' more' if state.step else ''}"
    return (
        f"{most}{several(learner.steps, 'step')} of {tokens(learner):,} {task.counted}{begun}, "
        f"{several(passes(learner), 'pass', '.3g')} over the {task.source}{time}; in {folder}"
    )
