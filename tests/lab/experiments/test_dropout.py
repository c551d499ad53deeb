"""Dropout: which text a cell reads, and that its losses are taken without noise."""

from dataclasses import replace

import lab
import pytest

from mainstem.lab.experiments import dropout


def test_each_trial_has_finite_losses_and_figures_show_them():
    found = lab.finite(dropout.EXPERIMENT)
    for numbers in found.values():
        assert set(numbers) == {"held_out", "train", "gap"}
        assert numbers["gap"] == pytest.approx(numbers["held_out"] - numbers["train"])
    figures = lab.drawn(dropout.EXPERIMENT, found)
    assert len(figures) == 2
    assert len(figures[0].lines) == 2


def test_a_repeated_text_is_a_part_and_a_fresh_one_is_all(monkeypatch):
    lengths = {}
    for name in ("repeated, rate 0", "fresh, rate 0"):
        cell = lab.named(dropout.EXPERIMENT, name)
        assert cell.tokens == (dropout.TOKENS if name.startswith("repeated") else None)
        trial = lab.trial(replace(cell, tokens=cell.tokens and 1000))
        trained = type(trial).train

        def train(self, trained=trained, name=name, **how):
            found = trained(self, **how)
            lengths[name] = len(found.text)
            return found

        monkeypatch.setattr(type(trial), "train", train)
        dropout.EXPERIMENT.trial(trial)
        monkeypatch.setattr(type(trial), "train", trained)
    assert lengths == {"repeated, rate 0": 1000, "fresh, rate 0": len(lab.corpus().train)}


def test_a_rate_changes_the_training_and_not_the_evaluation():
    cell = lab.named(dropout.EXPERIMENT, "fresh, rate 0.3")
    trained = lab.trial(cell).train()
    assert trained.losses_of() == trained.losses_of()
    other = lab.trial(lab.named(dropout.EXPERIMENT, "fresh, rate 0")).train()
    assert trained.losses != other.losses
