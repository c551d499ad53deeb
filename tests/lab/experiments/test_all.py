"""Every experiment of the catalogue: what a reader is told, and that its cells give the numbers that it asks for."""

import math

import lab
import pytest

from mainstem import catalogue
from mainstem.draw.chart import Figure, view
from mainstem.errors import BadInput
from mainstem.lab.engine import LAB
from mainstem.lab.experiments import vanishing
from mainstem.lab.page import page
from mainstem.lab.result import Results

EXPERIMENTS = {name: catalogue.resolve("experiment", name) for name in catalogue.names("experiment")}


@pytest.fixture(params=EXPERIMENTS)
def experiment(request):
    return EXPERIMENTS[request.param]


def test_it_is_told_in_whole_sentences(experiment):
    assert experiment.name == next(name for name, found in EXPERIMENTS.items() if found is experiment)
    assert experiment.section in ("7.4.1", "7.4.2", "7.4.3", "7.4.4", "7.4.5")
    assert experiment.claim.endswith(".") and experiment.question.endswith("?") and experiment.conditions
    assert experiment.sources and all("[nv]" not in source for source in experiment.sources)
    assert all(contrast.says.endswith(".") and contrast.delta > 0 for contrast in experiment.contrasts)
    assert int({**LAB, **experiment.base}["train.steps"]) >= 1


def test_every_cell_gives_the_numbers_that_contrasts_and_figures_ask_for(experiment):
    seeds = [0, 1]
    found = {cell.name: lab.measured(experiment, cell) for cell in experiment.cells}
    trials = {name: {0: numbers, 1: lab.near(numbers)} for name, numbers in found.items()}
    for contrast in experiment.contrasts:
        for cell in contrast.weights:
            assert all(isinstance(trials[cell][seed][contrast.value], (int, float)) for seed in seeds)
    for numbers in found.values():
        for value in numbers.values():
            assert all(math.isfinite(x) for x in (value if isinstance(value, list) else [value]))
    results = Results(experiment, seeds, trials, {"steps": 3, "seconds": 1.0})
    figures = experiment.figures(results)
    assert figures and all(isinstance(figure, Figure) and any(line.points for line in figure.lines)
                           for figure in figures)  # fmt: skip
    assert all(view(figure) for figure in figures)
    text = page("title", "about", [results], "mainstem lab")
    assert experiment.contrasts[0].unit in text


def test_a_trial_is_the_same_twice(experiment):
    cell = experiment.cells[-1]
    assert lab.numbers(experiment, cell) == lab.measured(experiment, cell)


def test_the_precision_holds_wherever_a_network_is_called(experiment):
    """Its numbers are others in bfloat16, those of networks at their initial weights too, or it is refused.

    What is measured by `flow` is in float64 always: of `vanishing` a training is what tells, in its deepest networks.
    """
    if "machine.dtype" in experiment.decides:
        with pytest.raises(BadInput, match=r"machine\.dtype cannot be set"):
            experiment.check(["machine.dtype"])
        return
    cell = experiment.cells[0]
    if experiment.name == "vanishing":
        cell = next(cell for cell in experiment.cells if cell.at["layers"] == vanishing.DEEPEST)
    exact, rounded = lab.measured(experiment, cell), lab.numbers(experiment, cell, machine__dtype="bfloat16")
    once = {contrast.value for contrast in experiment.contrasts if contrast.untrained} - {"decades"} or set(exact)
    assert any(exact[name] != rounded[name] for name in once)
