"""A small text and trials of it, for the tests of the laboratory."""

from __future__ import annotations

import functools
import math
import tempfile
from pathlib import Path
from typing import Any

from mainstem import config, data
from mainstem.lab import Cell, Experiment
from mainstem.lab.engine import LAB
from mainstem.lab.result import Results
from mainstem.lab.trial import Trial
from mainstem.report import chart

TINY = {
    "model.width": 16, "model.heads": 2, "model.context": 16, "train.batch": 4, "train.steps": 3, "noise.rate": 0.0,
}  # fmt: skip


@functools.cache
def corpus() -> data.Corpus:
    """Return 20 kB of made-up text as bytes."""
    folder = Path(tempfile.mkdtemp(prefix="mainstem-lab-"))
    path = folder / "text.txt"
    path.write_text("".join(f"{i * i % 89} words and {i * 7 % 31} numbers, {i}\n" for i in range(700)))
    return data.prepare(config.load({"data.paths": [str(path)], "data.tokenizer": "byte"}).data, folder / "tokens")


def trial(cell: Cell, **settings: Any) -> Trial:
    """Return a trial of `cell` in tiny sizes; `settings` have two underscores for a dot, and lie under the cell's."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    return Trial(cell, config.load({**LAB, **TINY, **given, **cell.settings}), corpus())


def numbers(experiment: Experiment, cell: Cell, **settings: Any) -> dict[str, Any]:
    """Return what an experiment measures in one cell, in tiny sizes."""
    own = {name: value for name, value in experiment.base.items() if name not in TINY}
    run = config.load({**LAB, **own, **TINY, **{k.replace("__", "."): v for k, v in settings.items()}, **cell.settings})
    return dict(experiment.trial(Trial(cell, run, corpus())))


def named(experiment: Experiment, name: str) -> Cell:
    """Return the cell of that name."""
    return next(cell for cell in experiment.cells if cell.name == name)


def finite(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Return what each cell comes to in tiny sizes, after a look that all of it is finite."""
    found = {cell.name: numbers(experiment, cell) for cell in experiment.cells}
    for measured in found.values():
        for name, value in measured.items():
            assert all(map(math.isfinite, value if isinstance(value, list) else [value])), name
    return found


def drawn(experiment: Experiment, found: dict[str, dict[str, Any]]) -> list[chart.Figure]:
    """Return the experiment's figures of one seed, after a look that each line has points and a place to stand."""
    results = Results(experiment, [0], {name: {0: measured} for name, measured in found.items()}, {"steps": 3})
    figures = list(experiment.figures(results))
    for figure in figures:
        places = chart.view(figure)
        assert figure.lines, figure.key
        assert all(line.points for line in figure.lines), figure.key
        assert "nan" not in str(places["lines"]), figure.key
    return figures
