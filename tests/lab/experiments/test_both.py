"""Residuals and regularizers: the interaction is what is left where gains do not add up."""

import lab
import pytest

from mainstem.lab.experiments import both
from mainstem.lab.result import Results


def made(together):
    """Results whose gains add up but for `together`, dropout in pre-norm."""
    form = {"pre-norm": -0.5, "post-norm": -0.4, "plain": 0.0}
    gain = {"nothing": 0.0, "dropout": -0.1, "decay": 0.03}
    trials = {
        both.name(f, r): {0: {"held_out": 3 + form[f] + gain[r] + together * (f == "pre-norm" and r == "dropout")}}
        for f in form for r in gain
    }  # fmt: skip
    return Results(both.EXPERIMENT, [0], trials)


def test_each_trial_has_finite_losses_and_figures_show_them():
    found = lab.finite(both.EXPERIMENT)
    assert all(set(numbers) == {"held_out", "train", "gap"} for numbers in found.values())
    figures = lab.drawn(both.EXPERIMENT, found)
    assert len(figures) == 2
    assert len(figures[0].lines) == 3


@pytest.mark.parametrize("together", [0.0, -0.2])
def test_the_interaction_is_what_does_not_add_up(together):
    results = made(together)
    found = [results.differences(contrast)[0] for contrast in both.EXPERIMENT.contrasts]
    assert found == pytest.approx([together, 0.0, 0.0, -0.5, -0.5 + together])


def test_cells_have_the_form_and_the_regularizer_of_their_name():
    run = lab.trial(lab.named(both.EXPERIMENT, "plain, dropout")).run
    assert run.model.residual == "plain"
    assert run.noise.hidden == 0.2
    assert run.optim.decay == 0
    assert lab.trial(lab.named(both.EXPERIMENT, "pre-norm, decay")).run.optim.decay == 3
