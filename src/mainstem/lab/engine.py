"""Runs an experiment: as many seeds as a budget allows, each trial once in a lifetime.

Seeds are taken one after the other, all cells of a seed before the next one, and whether there is time for another is
decided by the clock alone, never by what has been found.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .. import config, data
from ..draw.words import short
from ..errors import BadInput
from ..train import device
from ..wording import several
from . import conditions
from .cache import Cache, Kept, key
from .experiment import Cell, Experiment, Numbers
from .result import Results
from .trial import PIECE, Trial

MOST_SEEDS = 10
"""With a budget: more seeds than this are asked for by number."""

_SLACK = 1.15
"""How much longer a seed may take than the one before it."""

_SAMPLE = 4
"""Steps of each cell that are timed where nothing is known yet."""

LAB: Mapping[str, Any] = {
    "data.tokenizer": "byte",
    "model.layers": 4, "model.width": 64, "model.heads": 2, "model.context": 64,
    "optim.lr": 3e-3, "optim.schedule": "linear", "optim.warmup": 0.1, "optim.decay": 0.0,
    "train.steps": 60, "train.batch": 16,
}  # fmt: skip
"""What all experiments begin from: a model that takes about a second for a hundred steps."""

_PARTS = 1000
"""Of a training, in what is told of how far a seed is."""


@dataclass
class Engine:
    """`settings` are the user's own, over an experiment's; `text` reads what is asked for, and remembers it.

    `say` gets a line for each seed that is done, and ``tell(what, done, total)`` hears how far things are meanwhile.
    """

    text: Callable[[config.Data], data.Corpus]
    cache: Cache
    settings: Mapping[str, Any]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.perf_counter
    tell: Callable[[str, int, int], None] = lambda what, done, total: None
    _machines: dict[config.Machine, config.Machine] = field(default_factory=dict, init=False, repr=False)

    def run(self, experiment: Experiment, budget: float | None, seeds: int | None, double: bool = False) -> Results:
        """Return the results of `seeds` seeds, or of as many as `budget` seconds allow (at most 10, at least 1).

        `double` takes twice the steps. Raises `TooSmall` where not even one seed fits.
        """
        began = self.clock()
        self._check_text(experiment, double)
        results = Results(experiment, [], {cell.name: {} for cell in experiment.cells})
        most = seeds if seeds is not None else MOST_SEEDS
        spent = 0.0
        costs, timing = ({}, 0.0) if budget is None else self._costs(experiment, double, began, budget)
        slack = 1.0
        for seed in range(most):
            left = math.inf if budget is None else budget - (self.clock() - began)
            missing = [] if budget is None else self._missing(experiment, seed, double)
            if missing and slack * math.fsum(costs[name] for name in missing) > left:
                if seed == 0:
                    raise TooSmall(experiment.name, math.fsum(costs.values()) + timing)
                break
            before = self.clock()
            # Back and forth by turns, so that a machine that slows down favours none.
            cells = experiment.cells if seed % 2 == 0 else experiment.cells[::-1]
            what = f"{experiment.name}, seed {seed}"
            found = {
                cell.name: self._trial(experiment, cell, seed, double, self._telling(what, number, len(cells)))
                for number, cell in enumerate(cells)
            }
            self.tell(what, 1, 1)
            for name, kept in found.items():
                results.trials[name][seed] = kept.numbers
                spent += kept.seconds
            results.seeds.append(seed)
            costs, slack = {name: kept.seconds for name, kept in found.items()}, _SLACK
            self.say(
                f"{experiment.name}: seed {seed} done, {several(len(found), 'configuration')}, "
                f"{self.clock() - before:.0f} s"
            )
        for cell in experiment.cells:
            run = self.configured(experiment, cell, 0, double)
            results.settings[cell.name] = conditions.of(run, self.text(run.data), cell.tokens)
        results.facts["seconds"] = round(spent, 1)
        steps = {self.configured(experiment, cell, 0, double).train.steps for cell in experiment.cells}
        results.facts["steps"] = steps.pop() if len(steps) == 1 else None
        return results

    def configured(self, experiment: Experiment, cell: Cell, seed: int, double: bool) -> config.Run:
        """Return the whole configuration of a trial: the lab's, the experiment's, the user's, the cell's, the seed."""
        if cell.whole is not None:
            return self._settled(config.override(cell.whole, {"seed": seed}))
        free = experiment.free(self.settings)
        values = {**LAB, **experiment.base, **free, **cell.settings, "seed": seed}
        if double and "train.steps" not in free:
            values["train.steps"] = 2 * int(values["train.steps"])
        return self._settled(config.load(values))

    def _settled(self, run: config.Run) -> config.Run:
        """Return `run` in the precision that it is computed in: that is found out once, and is part of the key."""
        if run.machine not in self._machines:
            self._machines[run.machine] = device.settle(run).machine
        return msgspec.structs.replace(run, machine=self._machines[run.machine])

    def _check_text(self, experiment: Experiment, double: bool) -> None:
        """Raise `BadInput` where the text is smaller than what cells are to read of it again and again.

        Where others read it beside them, which is to be once, it is said that they read it more often.
        """
        if experiment.repeated is None:
            return
        run = self.configured(experiment, experiment.cells[0], 0, double)
        count = len(self.text(run.data).train)
        if count < experiment.needs:
            raise BadInput(
                f"--repeated {experiment.needs} is more than the {count:,} tokens of the training text: give a "
                "smaller number, or more text."
            )
        read = (run.train.steps or 1) * run.train.batch * (run.model.context or 1) / count
        if read > 1 and any(cell.tokens is None for cell in experiment.cells):
            self.say(
                f"{experiment.name}: what is to be read once is read {short(read)} times, as the training text has "
                f"{several(count, 'token')}: give more text, or fewer --train.steps."
            )

    def _telling(self, what: str, number: int, count: int) -> Callable[[int, int], None]:
        """Return what training `number` of `count` tells its steps: one that trains several networks goes not back."""
        most = 0

        def told(step: int, steps: int) -> None:
            nonlocal most
            most = max(most, _PARTS * step // steps)
            self.tell(what, number * _PARTS + most, count * _PARTS)

        told(0, 1)
        return told

    def _trial(
        self, experiment: Experiment, cell: Cell, seed: int, double: bool, told: Callable[[int, int], None]
    ) -> Kept:
        run = self.configured(experiment, cell, seed, double)
        name = self._key(experiment, cell, run)
        kept = self.cache.get(name)
        if kept is None:
            before = self.clock()
            trial = Trial(cell, run, self.text(run.data), tell=told)
            numbers = self._numbers(experiment, trial)
            # A run that was stopped and went on knows what it took before.
            kept = Kept(numbers, max(self.clock() - before, trial.seconds))
            self.cache.put(name, kept)
        return kept

    def _numbers(self, experiment: Experiment, trial: Trial) -> Numbers:
        data.check_length(trial.corpus, trial.run.model.context or 1)
        with device.threads(trial.run.machine.threads):
            return experiment.trial(trial)

    def _key(self, experiment: Experiment, cell: Cell, run: config.Run) -> str:
        what = [experiment.name, experiment.version, sorted(cell.at.items()), cell.tokens, *_revision(cell, run)]
        facts = self.text(run.data).facts
        return key(what, run, str(facts["hash"]) + str(facts["held_out_hash"]) + str(facts["vocab_size"]))

    def kept(self, experiment: Experiment, seed: int, double: bool) -> bool:
        """Return whether all trainings of a seed are there already."""
        return not self._missing(experiment, seed, double)

    def _missing(self, experiment: Experiment, seed: int, double: bool) -> list[str]:
        """Return the cells whose trainings with a seed are not there yet, as after a stop in the middle of it."""
        return [
            cell.name for cell in experiment.cells
            if self.cache.get(self._key(experiment, cell, self.configured(experiment, cell, seed, double))) is None
        ]  # fmt: skip

    def _costs(
        self, experiment: Experiment, double: bool, began: float, budget: float
    ) -> tuple[dict[str, float], float]:
        """Return about how many seconds each cell takes, from what is kept or from a few steps, and what else passed.

        A cell that takes no more steps than these, or none, is done with them, and kept. Raises `TooSmall` where the
        `budget`, whose time began at `began`, ends before all cells are timed.
        """
        costs: dict[str, float] = {}
        done = 0.0
        what, count = f"{experiment.name}, timing a few steps", len(experiment.cells)
        for number, cell in enumerate(experiment.cells):
            passed = self.clock() - began
            if costs and passed > budget:
                raise TooSmall(experiment.name, (math.fsum(costs.values()) + passed - done) * count / number)
            self.tell(what, number, count)
            run = self.configured(experiment, cell, 0, double)
            name = self._key(experiment, cell, run)
            kept = self.cache.get(name)
            if kept is not None:
                costs[cell.name] = kept.seconds
                continue
            before = self.clock()
            trial = Trial(cell, run, self.text(run.data), limit=_SAMPLE)
            numbers = self._numbers(experiment, trial)
            whole, steps = self.clock() - before, run.train.steps or 1
            costs[cell.name] = whole + trial.seconds / _SAMPLE * max(0, steps - _SAMPLE)
            if steps <= _SAMPLE or not trial.seconds:
                self.cache.put(name, Kept(numbers, whole))
                done += whole
        self.tell(what, 1, 1)
        return costs, self.clock() - began - done


def _revision(cell: Cell, run: config.Run) -> list[int]:
    """Return what makes another key for trials that were measured or read otherwise by an earlier version.

    These were measured in float32 and across documents, or read pieces of 1,024 tokens alone; all others have the
    numbers that they had, and are found by the key that they had.
    """
    otherwise = run.machine.dtype != "float32" or run.data.documents == "mask"
    return [2] if cell.whole is None and (otherwise or (cell.tokens or 0) % PIECE) else []


class TooSmall(Exception):
    """One seed of the experiment `name` takes about `seconds`, and there is less time."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"one seed of {name} takes about {seconds:.0f}s")
        self.seconds = seconds
