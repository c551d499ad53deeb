"""Steps to the same loss: by known curves, by two arms that are one, and at the best of the same learning rates."""

import math

import lab
import pytest

from mainstem.config import override
from mainstem.lab import Cell
from mainstem.lab.experiments import efficiency
from mainstem.lab.experiments.efficiency import EVERY, EXPERIMENT, RATES
from mainstem.lab.trial import Trial


def falling(half_life, steps=200):
    """A loss that halves every so many steps."""
    return [2.0 ** (-step / half_life) for step in range(1, steps + 1)]


@pytest.mark.parametrize(("own", "control"), [(10, 40), (40, 10), (20, 20)])
def test_doublings_are_those_of_the_half_lives(own, control):
    # 2^(-t / 10) comes to the end of 2^(-t / 40) in a quarter of the steps, whichever of the two has residuals.
    assert efficiency.doublings(falling(own), falling(control)) == pytest.approx(math.log2(own / control))


def test_each_trial_has_finite_numbers_and_figures_show_them():
    found = lab.finite(EXPERIMENT)
    assert len(found) == 3
    figures = lab.drawn(EXPERIMENT, found)
    assert [len(figure.lines) for figure in figures] == [3, 2]


def test_a_network_without_residuals_takes_as_many_steps_as_itself():
    cell = Cell("c", {}, {"residual": "plain"})
    found = EXPERIMENT.trial(lab.trial(cell, train__steps=25))
    assert found["doublings"] == 0
    assert found["with"] == found["without"]
    assert len(found["with"]) == 25 // EVERY


def test_each_network_counts_at_its_best_rate_and_the_same_loss_is_the_worse_end():
    cell = EXPERIMENT.cells[0]
    trial = lab.trial(cell, train__steps=12)
    found = EXPERIMENT.trial(trial)
    ends = {}
    for residual in ("pre_norm", "plain"):
        for rate in RATES:
            run = override(trial.run, {"model.residual": residual, "optim.lr": rate})
            losses = Trial(cell, run, trial.corpus).train().losses
            ends[residual, rate] = math.fsum(losses[-EVERY:]) / EVERY
    best = {residual: min(RATES, key=lambda rate: ends[residual, rate]) for residual in ("pre_norm", "plain")}
    assert (found["rate_with"], found["rate_without"]) == (best["pre_norm"], best["plain"])
    reached = [ends[residual, best[residual]] for residual in best]
    assert found["target"] == pytest.approx(max(reached))
    assert found["loss"] == pytest.approx(min(reached))


def test_a_training_that_breaks_off_stays_at_a_uniform_guess():
    trained = lab.trial(EXPERIMENT.cells[0], train__steps=6).train()
    worst = math.log(trained.corpus.tokenizer.vocab_size)
    broken = trained._replace(losses=[2.0, 9.0, math.nan])
    assert efficiency.averaged(broken)[:2] == pytest.approx([2.0, (2.0 + worst) / 2])
    assert len(efficiency.averaged(broken)) == 6
    assert efficiency.averaged(broken)[-1] == pytest.approx((2.0 + 5 * worst) / 6)
