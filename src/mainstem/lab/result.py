"""What an experiment came to: every trial's numbers, and from them the contrasts and the verdict.

Shapes: none; JSON throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .conditions import Conditions, Setting, together
from .experiment import Contrast, Experiment, Numbers, number
from .statistics import NOTHING, Paired, Verdict, decided, paired, verdicts


@dataclass
class Results:
    """The trials of an experiment: ``trials[cell][seed]``, complete for every seed in `seeds`.

    `settings` has by cell what its trainings were; results of long ago have none.
    """

    experiment: Experiment
    seeds: list[int]
    trials: dict[str, dict[int, Numbers]]
    facts: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)

    def values(self, cell: str, value: str) -> list[float]:
        """Return one number of a cell's trials, seed by seed; nan where a trial has none."""
        return [number(self.trials[cell][seed], value) for seed in self.seeds]

    def curves(self, cell: str, value: str) -> list[list[float]]:
        """Return one curve of a cell's trials, seed by seed."""
        found = [self.trials[cell][seed].get(value, []) for seed in self.seeds]
        return [one for one in found if isinstance(one, list)]

    def differences(self, contrast: Contrast) -> list[float]:
        """Return the weighted sums of a contrast, seed by seed; nan where one of its numbers is not finite."""
        columns = [(weight, self.values(cell, contrast.value)) for cell, weight in contrast.weights.items()]
        parts = [[weight * column[i] for weight, column in columns] for i in range(len(self.seeds))]
        return [math.fsum(some) if all(map(math.isfinite, some)) else math.nan for some in parts]

    def judged(self) -> list[tuple[Contrast, Paired, Verdict]]:
        """Return every contrast with its verdict, and with the interval by which it came about.

        The first one is the experiment's. A contrast of numbers that are one by one those of an earlier contrast is
        left out: what was measured once is not judged twice.
        """
        contrasts = self.contrasts
        deltas = [contrast.delta for contrast in contrasts]
        found = [paired(self.differences(contrast), contrast.delta) for contrast in contrasts]
        said = verdicts(found, [contrast.expected for contrast in contrasts])
        named = [
            NOTHING if self._idle(contrast, verdict) else verdict
            for contrast, verdict in zip(contrasts, said, strict=True)
        ]
        return list(zip(contrasts, decided(found, deltas), named, strict=True))

    @property
    def contrasts(self) -> list[Contrast]:
        """The contrasts of the experiment, without those that would judge the same numbers again."""
        found: dict[str, Contrast] = {}
        for contrast in self.experiment.contrasts:
            numbers = [(cell, weight, self.values(cell, contrast.value)) for cell, weight in contrast.weights.items()]
            known = all(math.isfinite(one) for _, _, values in numbers for one in values)
            value = "" if known else contrast.value  # what is missing twice is not the same
            found.setdefault(repr((numbers, contrast.delta, contrast.expected, value)), contrast)
        return list(found.values())

    def _idle(self, contrast: Contrast, verdict: Verdict) -> bool:
        """Return whether a claim rests, with any seed, on networks that know only how often each token occurs.

        In a comparison who is ahead is the question, whatever both know: there only verdicts that find no difference
        need networks that have learned something.
        """
        idle = [contrast.meaningless(self._failed(contrast, seed)) for seed in self.seeds]
        return any(idle) if self.experiment.section else verdict in ("no effect", "undecided") and all(idle)

    def _failed(self, contrast: Contrast, seed: int) -> list[str]:
        """Return the cells of a contrast that learned nothing with a seed, those without a finite loss among them.

        Cells whose losses or setting are not known are not.
        """
        found = {cell: contrast.learned_by(self.trials[cell][seed]) for cell in contrast.weights}
        return [
            cell for cell, losses in found.items()
            if losses and cell in self.settings and not self.settings[cell].learned(losses)
        ]  # fmt: skip

    def conditions(self, contrast: Contrast) -> Conditions | None:
        """Return under which conditions the verdict of a contrast holds; None for results of long ago."""
        cells = [cell for cell in contrast.weights if cell in self.settings]
        if len(cells) < len(contrast.weights):
            return None
        steps = [0.0 if contrast.untrained else self._steps(cell) for cell in cells]
        return together([self.settings[cell] for cell in cells], steps, len(self.seeds))

    def _steps(self, cell: str) -> float | None:
        taken = self.values(cell, "steps")  # by trainings that end by themselves
        known = taken and all(map(math.isfinite, taken))
        return math.fsum(taken) / len(taken) if known else self.settings[cell].steps

    @property
    def verdict(self) -> Verdict:
        """The verdict of the experiment: that of its first contrast."""
        return self.judged()[0][2]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as one JSON object, from which a page can be drawn again."""
        experiment = self.experiment
        return {
            "version": 1, "experiment": experiment.name, "section": experiment.section, "claim": experiment.claim,
            "question": experiment.question, "conditions": experiment.conditions,
            "sources": list(experiment.sources), "verdict": self.verdict, "seeds": self.seeds,
            "contrasts": [
                {"says": contrast.says, "value": contrast.value, "unit": contrast.unit, "delta": contrast.delta,
                 "expected": contrast.expected, "weights": dict(contrast.weights), "verdict": verdict,
                 "differences": [_finite(one) for one in self.differences(contrast)],
                 **_plain(statistics._asdict()),
                 "conditions": None if (found := self.conditions(contrast)) is None else found._asdict()}
                for contrast, statistics, verdict in self.judged()
            ],
            "cells": [{"name": cell.name, "settings": dict(cell.settings), "at": dict(cell.at),
                       "setting": msgspec.to_builtins(self.settings.get(cell.name))} for cell in experiment.cells],
            "trials": {cell: {str(seed): _plain(dict(numbers)) for seed, numbers in found.items()}
                       for cell, found in self.trials.items()},
            "facts": self.facts,
        }  # fmt: skip


def from_json(experiment: Experiment, content: dict[str, Any]) -> Results:
    """Return the results that `to_json` wrote of `experiment`; raises KeyError or TypeError for anything else."""
    trials: dict[str, dict[int, Numbers]] = {
        cell.name: {int(seed): _numbers(found) for seed, found in content["trials"][cell.name].items()}
        for cell in experiment.cells
    }
    settings = {
        cell["name"]: msgspec.convert(cell["setting"], Setting) for cell in content["cells"] if cell.get("setting")
    }
    return Results(experiment, [int(seed) for seed in content["seeds"]], trials, content["facts"], settings)


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as JSON has them: null for what is not finite."""
    return {name: _finite(value) for name, value in numbers.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, list):  # a curve, of losses in float32: seven digits are all that it has
        return [_finite(float(f"{one:.7g}")) for one in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _numbers(found: dict[str, Any]) -> Numbers:
    return {
        name: [math.nan if one is None else float(one) for one in value] if isinstance(value, list)
        else math.nan if value is None else float(value)
        for name, value in found.items()
    }  # fmt: skip
