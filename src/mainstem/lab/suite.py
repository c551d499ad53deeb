"""Several experiments within one budget, each with its results and its page."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from .. import catalogue, config, files
from ..errors import BadInput
from ..runs import environment
from ..runs.cache import cache_folder
from ..runs.run_folder import RunFolder
from ..train import device, refuse, unread
from ..train.console import Plain, Progress
from ..wording import listed
from . import page, text
from .cache import Cache
from .commit import commit
from .engine import Engine, TooSmall
from .experiment import Experiment
from .result import Results

ALL = "all.html"
_LONG = 600.0
"""Seconds for an experiment from which on every training takes twice the steps."""

_END = 2.0
"""Seconds that are kept for writing the pages."""


class Plan(NamedTuple):
    """`budget` seconds for all experiments together, or `seeds` for each; `settings` are fields of every training.

    The budget is spent by `clock`, which returns seconds.
    """

    folder: Path
    settings: Mapping[str, Any]
    budget: float | None
    seeds: int | None
    command: str
    clock: Callable[[], float] = time.perf_counter


def run(
    experiments: Sequence[Experiment],
    plan: Plan,
    began: float,
    progress: Progress,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[tuple[Results, Path]]:
    """Yield the results of each experiment with the page that was written, NAME.html beside NAME.json.

    What one experiment leaves of its share of the budget goes to those behind it. `began` is when the budget began,
    by `plan.clock`, `more` are further facts of the results. `progress` hears what is done and how far it is. An
    experiment whose share is too small for one seed is said to be left out, and where all are, that is refused.
    """
    check_folder(plan.folder)
    engine, made, late = _engine(plan, progress), 0, []
    # By what was asked for, not by what is left: else the same command would not find its own trainings again.
    double = doubled(plan.budget or 0.0, len(experiments))
    for number, experiment in enumerate(experiments):
        share = None
        if plan.budget is not None:
            share = (plan.budget - _END - (plan.clock() - began)) / (len(experiments) - number)
            if share <= 0 and len(experiments) > 1 and not engine.kept(experiment, 0, double):
                late.append(experiment.name)
                continue
        try:
            with progress.running():
                results = engine.run(experiment, share, plan.seeds, double)
        except TooSmall as error:
            needed = enough(error.seconds, double or "train.steps" in experiment.free(plan.settings))
            if len(experiments) == 1:
                raise BadInput(
                    f"A budget of {plan.budget:g}s is too small for one seed of {experiment.name}, which takes about "
                    f"{error.seconds:.0f}s on this machine: give --budget {needed}s for three seeds."
                ) from None
            progress.say(
                f"{experiment.name} was left out: {error}, and {share:.0f}s were its share. By itself it has time for "
                f"three seeds with --budget {needed}s."
            )
            continue
        first = engine.configured(experiment, experiment.cells[0], 0, double)
        results.facts.update({**facts(plan, experiment, first), **more})
        made += 1
        yield results, write(plan, results)
    if late:
        progress.say(f"No time was left for {', '.join(late)}: give a longer --budget.")
    if not made:
        raise BadInput(
            f"A budget of {plan.budget:g}s is too small for one seed of any of the {len(experiments)} experiments: "
            "give a longer one, or name one experiment."
        )


def doubled(budget: float, count: int) -> bool:
    """Return whether so many seconds for `count` experiments are enough for trainings of twice the steps.

    Example:
        >>> doubled(600, 1), doubled(3600, 13)
        (True, False)
    """
    return budget / max(1, count) >= _LONG


def enough(seconds: float, fixed: bool) -> int:
    """Return how many seconds are a budget for three seeds of one experiment, each of which takes `seconds` now.

    A budget may be so long that trainings take twice the steps, unless these are `fixed`.

    Example:
        >>> enough(100.0, False), enough(200.0, False), enough(200.0, True)
        (350, 1400, 700)
    """
    needed = math.ceil(3.5 * seconds)
    return 2 * needed if doubled(needed, 1) and not fixed else needed


def check(experiments: Sequence[Experiment], plan: Plan, every: bool = False) -> None:
    """Raise `BadInput` for what is wrong with a training of any of the experiments, before a text is read.

    Where it was asked for `every` experiment, a field that some of them decide over themselves holds for the others.
    """
    for name in plan.settings if every else ():
        if all(experiment.decided(name) for experiment in experiments):
            raise BadInput(f"{name} cannot be set for any of the experiments, as each decides over it: leave it out.")
    engine = _engine(plan, Plain(None))
    for experiment in experiments:
        if not every:
            experiment.check(plan.settings)
        runs = [engine.configured(experiment, cell, 0, double=False) for cell in experiment.cells]
        for run in runs:
            refuse.early(run)
        # No step of a trial is watched.
        bare = [msgspec.structs.replace(run, log=config.Log(quantities=0)) for run in runs]
        unread.check(bare, experiment.free(plan.settings))


def kept(experiments: Sequence[Experiment], plan: Plan) -> Iterator[str]:
    """Yield a sentence for the experiments that keep fields of their own where others were given."""
    found: dict[tuple[str, ...], list[str]] = {}
    for experiment in experiments:
        free = experiment.free(plan.settings)
        if own := tuple(name for name in plan.settings if name not in free):
            found.setdefault(own, []).append(experiment.name)
    for own, names in found.items():
        one = len(names) == 1
        yield (
            f"{listed(names)} {'keeps its' if one else 'keep their'} own {listed(own)}, over which "
            f"{'it decides itself' if one else 'they decide themselves'}."
        )


def _engine(plan: Plan, progress: Progress) -> Engine:
    read = text.reader(tokens(plan.folder), progress.warn, progress.measuring)
    return Engine(read, Cache(plan.folder / "trials"), plan.settings, progress.say, plan.clock, progress.measuring)


def facts(plan: Plan, experiment: Experiment, run: config.Run) -> dict[str, Any]:
    """Return what made the numbers: command, commit where there is one, versions, and the machine as `run` uses it."""
    with device.threads(run.machine.threads):
        machine = environment.machine(device.choose(device.settle(run).machine).device)
    return {
        "command": plan.command, "commit": commit(), "versions": environment.versions(),
        "machine": machine, "settings": experiment.free(plan.settings),
    }  # fmt: skip


def write(plan: Plan, results: Results) -> Path:
    """Write the results as JSON and as a page, and return the page's path."""
    name = results.experiment.name
    files.make_folder(plan.folder)
    files.write_text(plan.folder / f"{name}.json", json.dumps(results.to_json(), indent=1, allow_nan=False))
    kind = "A claim of the textbook section" if results.experiment.section else "Configurations"
    about = f"{kind}, put to the test on this machine."
    return files.write_text(plan.folder / f"{name}.html", page.page(name, about, [results], plan.command))


def write_all(plan: Plan, experiments: Sequence[Experiment], found: Sequence[Results]) -> Path:
    """Write one page of what is `found` of the experiments by now, and return its path.

    It is called `ALL` where these are all that there are; some have a page with their names, and leave that alone.
    """
    names = sorted(experiment.name for experiment in experiments)
    name = ALL if names == sorted(catalogue.names("experiment")) else f"{'-and-'.join(names)}.html"
    many = f"{len(found)} of {len(names)}" if len(found) < len(names) else f"{len(found)}"
    about = f"{many} claims about residual connections and regularization, put to the test on this machine."
    return files.write_text(plan.folder / name, page.page("The laboratory", about, found, plan.command))


def tokens(folder: Path) -> Path:
    """Return where tokens are kept for the experiments in `folder`."""
    return cache_folder(RunFolder(folder))


def check_folder(folder: Path) -> None:
    """Raise `BadInput` where results cannot be written to `folder`."""
    if os.path.lexists(folder) and not files.is_folder(folder):
        raise BadInput(f"--out {str(folder)!r} is not a folder: give the name of a new one, or of one of this command.")
    files.check_folder(folder)
    if os.path.lexists(folder / "config.yaml"):
        raise BadInput(f"--out {str(folder)!r} is the folder of a run: give another one.")
