"""What a run says at its end: what was reached, beside what, and what to do next."""

from __future__ import annotations

from pathlib import Path

from ..errors import command
from ..runs.listener import Outcome
from ..runs.paths import place, typed
from ..wording import fixed, several
from .console import clock
from .learner import Learner

_GOING_ON = 2
"""How many times as many steps a longer run is offered."""


def ending(learner: Learner, steps: int, outcome: Outcome, closing: list[str], page: Path | None) -> str:
    """Return the `outcome` of a run after `steps` steps, what its task says of it, and the next commands.

    `page` is None where it could not be made.
    """
    return "\n".join([*_reached(learner, steps, outcome), *closing, *_next(learner, outcome, page)])


def _reached(learner: Learner, steps: int, outcome: Outcome) -> list[str]:
    best, task, patience = outcome.best, learner.task, learner.run.train.patience
    error = "" if best.error is None else f" +- {best.error:.2g} (standard error of a sample)"
    ended = {"steps": "all its steps", "patience": f"{several(patience, 'evaluation')} without gain",
             "pruned": "a listener asked for it"}[outcome.reason]  # fmt: skip
    values = [
        f"{fixed(best.values[score.name], '.4f')}{'' if at else error} {score.unit}"
        for at, score in enumerate(task.scores)
    ]
    means = f"{task.score.best}{f', and {task.guess}' if task.guess else ''}"
    if outcome.skipped:
        ended += f"; {several(outcome.skipped, 'step')} left out, as a number was not finite"
    if outcome.spikes:
        ended += f"; {several(outcome.spikes, 'step')} left out, as the gradient was a spike"
    return [
        f"ended after {several(steps, 'step')} and {clock(outcome.seconds)}: {ended}",
        f"{task.score.title} {', '.join(values)}, at step {best.step:,}; {means}",
    ]


def _next(learner: Learner, outcome: Outcome, page: Path | None) -> list[str]:
    run = typed(outcome.path)
    longer = ["train", "--resume", run, "--train.steps", str(_GOING_ON * learner.steps)]
    if outcome.reason == "patience":  # which has ended it, and would again
        longer = ["train", "--resume", run, "--train.patience", "0"]
    lines = [f"  {what:12}  {command(name, run)}" for what, name in learner.task.commands]
    if page is not None:
        lines.append(f"  see its page  {place(page)}")
    return ["next:", *lines, f"  train longer  {command(*longer)}"]
