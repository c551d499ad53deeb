"""Sites of dropout: the factorial's weights find effects that are known, and cells drop where their name says."""

import lab
import pytest

from mainstem.lab.experiments import sites
from mainstem.lab.result import Results


def test_each_trial_has_finite_losses_and_figures_show_them():
    found = lab.finite(sites.EXPERIMENT)
    assert all(set(numbers) == {"held_out", "train", "gap"} for numbers in found.values())
    figures = lab.drawn(sites.EXPERIMENT, found)
    assert len(figures) == 2
    assert len(figures[0].lines) == 2


def test_main_effects_of_a_known_model_are_found():
    effects = {"branches": -0.3, "weights": 0.2, "embedding": -0.05}
    trials = {}
    for on in sites.GRID:
        value = 2.0 + sum(effects[site] for site, chosen in zip(sites.SITES, on, strict=True) if chosen)
        # What two sites do only together counts for half in the main effect of each.
        value += 0.08 if on[0] and on[1] else 0.0
        trials[sites.name(on)] = {0: {"held_out": value}}
    results = Results(sites.EXPERIMENT, [0], trials)
    found = [results.differences(contrast)[0] for contrast in sites.EXPERIMENT.contrasts]
    assert found == pytest.approx([-0.26, 0.24, -0.05, -0.5])


def test_a_cell_drops_where_its_name_says_and_nowhere_else():
    fields = ("embedding", "attention_weights", "attention", "hidden", "feedforward")
    for on in sites.GRID:
        noise = lab.trial(lab.named(sites.EXPERIMENT, sites.name(on))).run.noise
        branches, weights, embedding = on
        expected = [embedding, weights, branches, False, branches]
        assert [getattr(noise, field) for field in fields] == [sites.RATE * chosen for chosen in expected]
