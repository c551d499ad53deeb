"""Every experiment of the catalogue: what a reader is told, and that its cells give the numbers that it asks for."""

import math
from dataclasses import replace

import lab
import pytest

from mainstem import catalogue
from mainstem.draw.chart import Figure, view
from mainstem.errors import BadInput
from mainstem.lab import Cell, conditions
from mainstem.lab.engine import LAB
from mainstem.lab.experiment import LOSSES
from mainstem.lab.experiments import vanishing
from mainstem.lab.page import page
from mainstem.lab.result import Results
from mainstem.lab.statistics import NOTHING

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


def judged(experiment, contrast, trials):
    """Return the verdict of one contrast by made-up trials."""
    setting = conditions.of(lab.trial(Cell("c")).run, lab.corpus(), None)
    settings = {cell.name: setting for cell in experiment.cells}
    alone = replace(experiment, contrasts=(contrast,))
    return Results(alone, [0, 1, 2], trials, settings=settings).verdict


def made_up(experiment, contrast, failed, loss):
    """Three seeds with an effect far beyond the smallest of interest; cells in `failed` end with `loss`."""
    floor = conditions.of(lab.trial(Cell("c")).run, lab.corpus(), None).floor_train
    trials = {}
    for cell in experiment.cells:
        there = {*LOSSES, "target"} & set(lab.measured(experiment, cell))
        sign = 1 if contrast.weights.get(cell.name, 0) > 0 else -1
        trials[cell.name] = {
            seed: {
                contrast.value: contrast.expected * sign * contrast.delta * (8 + 0.01 * seed),
                **dict.fromkeys(there, loss if cell.name in failed else 0.5 * floor + 0.1 * sign * contrast.expected),
            }
            for seed in range(3)
        }
    return trials


@pytest.mark.parametrize("loss", [math.nan, math.log(256)])
def test_a_network_that_came_to_nothing_decides_nothing_about_trained_ones(experiment, loss):
    """A learning rate of 1e30 once had what sublayers add in a trained network "supported"."""
    for contrast in experiment.contrasts:
        cells = list(contrast.weights)
        by_loss = contrast.value in LOSSES
        assert judged(experiment, contrast, made_up(experiment, contrast, (), loss)) == "supported"
        for failed in [cells] if by_loss else [[cell] for cell in cells]:
            found = judged(experiment, contrast, made_up(experiment, contrast, failed, loss))
            assert found == ("supported" if contrast.untrained else NOTHING), (contrast.says, failed)


def test_a_gain_is_not_told_against_a_gain_of_networks_that_came_to_nothing():
    both = EXPERIMENTS["both"]
    first = both.contrasts[0]
    behind = made_up(both, first, ["plain, dropout"], math.log(256))
    assert judged(both, first, behind) == "supported"  # dropout is what keeps it from learning
    neither = made_up(both, first, ["plain, dropout", "plain, nothing"], math.log(256))
    assert judged(both, first, neither) == NOTHING


def test_a_learning_rate_beyond_all_measure_decides_nothing(experiment):
    trained = [contrast for contrast in experiment.contrasts if not contrast.untrained]
    if not trained or experiment.decided("optim.lr"):
        return
    cells = [cell for cell in experiment.cells if cell.name in trained[0].weights]
    found = {cell.name: lab.numbers(experiment, cell, optim__lr=1e30) for cell in cells}
    alone = replace(experiment, cells=tuple(cells), contrasts=(trained[0],))
    trials = {name: {0: numbers, 1: lab.near(numbers), 2: lab.near(numbers)} for name, numbers in found.items()}
    assert judged(alone, trained[0], trials) == NOTHING
