"""What a run is to be like, where its recipe leaves that to the text, the machine and the time.

A choice is made once, before a run has a folder: its config.yaml has what was chosen.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from .. import catalogue, choice, config, files, runs
from ..choice.given import FIELDS, FOLLOWING, implied
from ..config.reader import LIMIT
from ..errors import BadInput
from . import budget, length, speed
from .losses.target_loss import TargetLoss
from .phases import Clock
from .task import Task, Tell
from .world import ALONE, World

Given = Collection[str] | None
"""The fields that stay as they are; None: all of them."""


def may(run: config.Run, given: Given) -> bool:
    """Return whether the recipe of `run` leaves what is not `given` to be chosen."""
    return given is not None and run.recipe is not None and "chooses" in catalogue.find("recipe", run.recipe).traits


def adopted(run: config.Run, given: Given) -> config.Run:
    """Return `run` with what was chosen for the run that its folder holds already; as it is, where it holds none."""
    if given is None or not may(run, given) or run.out is None:
        return run
    path = Path(os.path.realpath(runs.follow(run.out))) / "config.yaml"
    if not files.is_file(path):
        return run
    try:
        stored = config.resolve(config.parse(files.read(path, LIMIT)))
    except BadInput:  # which is said, with its reason, where the two are compared
        return run
    without = {"train.passes"} if run.train.budget is None else set()
    if stored.optim.name != run.optim.name:
        without |= {name for name in FIELDS if name.startswith("optim.")}
    names = [name for name in FIELDS if name not in without]
    found = {name: value for name in names if (value := config.at(stored, name)) is not config.NOT_THERE}
    return _with(run, found, implied(given), stored)


def choose(
    run: config.Run,
    given: Given,
    task: Task,
    data: Any,
    clock: Clock,
    began: float,
    tell: Tell | None = None,
    world: World = ALONE,
) -> tuple[config.Run, dict[str, Any] | None, TargetLoss | None]:
    """Return `run` with what was chosen for it, what facts.json says of that, and the loss that has begun for it.

    Where nothing is chosen, there is neither of the last two.

    `began` is when the time of the budget began, by `clock`; `count` there are the steps of the run, for `assemble`.
    Nothing is chosen for a run whose length is given in steps or passes, for its recipe's values are those of a few
    minutes, nor for a task that has no corpus.
    """
    corpus = task.corpus(data)
    if given is None or not may(run, given) or run.train.budget is None or corpus is None:
        return run, None, None
    fixed, seconds = implied(given), length.seconds(run.train.budget)
    timed, loss = speed.measure(run, task, data, corpus, seconds, clock, tell, world)
    here, spent = choice.fitted(timed), clock() - began
    table = choice.choose(corpus, here, seconds, run, fixed, spent)
    # What the table chooses is timed itself, so that the reasons and the length of the run go by one number of steps.
    trial = _with(run, table.values, fixed)
    learner = budget.thrown_away(trial, task, data, task.build(trial, data), clock, world, loss)
    fit = budget.steps(learner, seconds, began, clock, tell) * table.values.get("model.members", 1)
    now, known = decided(corpus, here, seconds, run, fixed, spent, fit)
    known["timed"] = [{**shape._asdict(), "seconds": round(took, 6)} for shape, took in timed]
    return _with(run, now.values, fixed), known, learner.target_loss


def decided(
    corpus: choice.Corpus,
    here: choice.Speed,
    seconds: float,
    run: config.Run,
    given: Collection[str],
    spent: float,
    fit: int | None = None,
) -> tuple[choice.Choice, dict[str, Any]]:
    """Return the choice of these arguments, as `choice.choose` has them, and what is to be known of it, as JSON values.

    That has what half and twice the time would have chosen, and all that the choice was made from. `fit` are the steps
    that fit by a timing of what is chosen; then half and twice the time have by the same factor more or fewer of them.
    """

    def chosen(factor: float, timed: int | None = None) -> choice.Choice:
        return choice.choose(corpus, here, factor * seconds, run, given, spent, timed)

    now, half, twice = (chosen(factor) for factor in (1.0, 0.5, 2.0))
    if fit is not None:
        share = fit / now.steps if now.steps else 1.0
        now = chosen(1.0, fit)
        half, twice = chosen(0.5, round(share * half.steps)), chosen(2.0, round(share * twice.steps))
    return now, {
        **msgspec.to_builtins(now),
        "doubt": now.doubt,
        "half": _said(half),
        "twice": _said(twice),
        "given": sorted(set(given).intersection(FIELDS)),
        "corpus": msgspec.to_builtins(corpus),
        "speed": msgspec.to_builtins(here),
        "spent": round(spent, 3),
        "fit": fit,
    }


def _said(found: choice.Choice) -> dict[str, str]:
    return {decision.title: decision.said for decision in found.decisions}


def _with(
    run: config.Run, values: dict[str, Any], given: Collection[str], like: config.Run | None = None
) -> config.Run:
    """Return `run` with `values` for the fields that are not given; what follows from them is as in `like`, or anew."""
    found = run
    free = {name: value for name, value in values.items() if name not in given}
    free |= {name: None if like is None else config.at(like, name) for name in FOLLOWING if name not in given}
    if "noise.rate" in free:
        free |= {f"noise.{site}": None if like is None else config.at(like, f"noise.{site}") for site in config.SITES}
    for name, value in free.items():
        found = config.put(found, name, value)
    return config.checked(found)
