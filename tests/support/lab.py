"""A small text and trials of it, for the tests of the laboratory."""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mainstem import config, data
from mainstem.draw import chart
from mainstem.lab import Cell, Contrast, Experiment, against
from mainstem.lab.engine import LAB
from mainstem.lab.result import Results
from mainstem.lab.trial import Trial


class Heard:
    """A console that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.passes: list[tuple[str, int, int]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.say(f"warning: {text}")

    def show(self, numbers: dict[str, Any]) -> None:
        raise AssertionError("an experiment shows no steps")

    def measuring(self, what: str, done: int, total: int) -> None:
        self.passes.append((what, done, total))

    def running(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


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


_MEASURED: dict[tuple[int, str], tuple[Experiment, dict[str, Any]]] = {}


def measured(experiment: Experiment, cell: Cell) -> dict[str, Any]:
    """Return `numbers` of one cell of an experiment with seed 0, computed once for all tests of this process."""
    key = (id(experiment), cell.name)  # the experiment is kept beside its numbers, so that no other one has its id
    if key not in _MEASURED:
        _MEASURED[key] = (experiment, numbers(experiment, cell))
    return dict(_MEASURED[key][1])


def near(found: dict[str, Any]) -> dict[str, Any]:
    """Return numbers like those of a cell with another seed: each a hundredth more."""
    return {
        name: [1.01 * x for x in value] if isinstance(value, list) else 1.01 * value for name, value in found.items()
    }


def named(experiment: Experiment, name: str) -> Cell:
    """Return the cell of that name."""
    return next(cell for cell in experiment.cells if cell.name == name)


def finite(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Return what each cell comes to in tiny sizes, after a look that all of it is finite."""
    found = {cell.name: measured(experiment, cell) for cell in experiment.cells}
    for each in found.values():
        for name, value in each.items():
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


def made(seeds: Sequence[int] = (0, 1, 2)) -> Results:
    """Return results that were made up: b has 1 nat less than a, and a curve of two numbers, the last of them nan."""
    cells = (Cell("a", {"model.layers": 1}, {"arm": "a", "layers": 1}), Cell("b", {}, {"arm": "b", "layers": 2}))
    contrasts = (
        Contrast("b learns more", against("b", "a"), "loss", "nats", 0.1, -1),
        Contrast("their sum", {"a": 0.5, "b": 0.5}, "loss", "nats", 0.1, +1),
    )
    experiment = Experiment("e", "7.4.1", "A claim.", "A question?", cells, contrasts, lambda t: {}, lambda r: [])
    trials = {
        "a": {seed: {"loss": 2.0 + 0.01 * seed, "curve": [1.0, 2.0 + seed]} for seed in seeds},
        "b": {seed: {"loss": 1.0 + 0.012 * seed, "curve": [3.0, math.nan]} for seed in seeds},
    }
    return Results(experiment, list(seeds), trials, {"steps": 7, "seconds": 1.5})
