"""What an experiment came to: every trial's numbers, and from them the contrasts and the verdict. May import siblings.

Shapes: none; JSON throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from .experiment import Contrast, Experiment, Numbers
from .statistics import Paired, Verdict, paired, verdicts


@dataclass
class Results:
    """The trials of an experiment: ``trials[cell][seed]``, complete for every seed in `seeds`."""

    experiment: Experiment
    seeds: list[int]
    trials: dict[str, dict[int, Numbers]]
    facts: dict[str, Any] = field(default_factory=dict)

    def values(self, cell: str, value: str) -> list[float]:
        """Return one number of a cell's trials, seed by seed; nan where a trial has none."""
        found = [self.trials[cell][seed].get(value, math.nan) for seed in self.seeds]
        return [one if isinstance(one, (int, float)) else math.nan for one in found]

    def curves(self, cell: str, value: str) -> list[list[float]]:
        """Return one curve of a cell's trials, seed by seed."""
        found = [self.trials[cell][seed].get(value, []) for seed in self.seeds]
        return [one for one in found if isinstance(one, list)]

    def differences(self, contrast: Contrast) -> list[float]:
        """Return the weighted sums of a contrast, seed by seed."""
        columns = [(weight, self.values(cell, contrast.value)) for cell, weight in contrast.weights.items()]
        return [math.fsum(weight * column[i] for weight, column in columns) for i in range(len(self.seeds))]

    def judged(self) -> list[tuple[Contrast, Paired, Verdict]]:
        """Return the statistics and the verdict of every contrast; the first one is the experiment's."""
        contrasts = self.experiment.contrasts
        found = [paired(self.differences(contrast), contrast.delta) for contrast in contrasts]
        signs = [contrast.expected for contrast in contrasts]
        return list(zip(contrasts, found, verdicts(found, signs), strict=True))

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
                 "differences": self.differences(contrast), **_plain(statistics._asdict())}
                for contrast, statistics, verdict in self.judged()
            ],
            "cells": [{"name": cell.name, "settings": dict(cell.settings), "at": dict(cell.at)}
                      for cell in experiment.cells],
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
    return Results(experiment, [int(seed) for seed in content["seeds"]], trials, content["facts"])


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return numbers as JSON has them: null for what is not finite."""
    return {name: _finite(value) for name, value in numbers.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _numbers(found: dict[str, Any]) -> Numbers:
    return {
        name: [math.nan if one is None else float(one) for one in value] if isinstance(value, list)
        else math.nan if value is None else float(value)
        for name, value in found.items()
    }  # fmt: skip
