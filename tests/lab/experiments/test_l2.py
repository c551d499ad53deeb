"""L2: the size of weights, and that the control's matrices are scale-invariant while others are not."""

import lab
import pytest
import torch

from mainstem import optim
from mainstem.lab.experiments import l2


def test_each_trial_has_finite_numbers_and_figures_show_them():
    found = lab.finite(l2.EXPERIMENT)
    for numbers in found.values():
        assert set(numbers) == {"held_out", "train", "gap", "rms", "rms_free"}
    figures = lab.drawn(l2.EXPERIMENT, found)
    assert len(figures) == 3
    assert len(figures[0].lines) == 3


def test_the_control_decays_queries_and_keys_and_nothing_else():
    trial = lab.trial(lab.named(l2.EXPERIMENT, l2.ONLY))
    optimizer = optim.make(trial.build(), trial.run.optim)
    decayed = {name for group in optimizer.param_groups if group["weight_decay"] for name in group["names"]}
    assert {name.split(".")[-2] for name in decayed} == {"query", "key"}
    assert len(decayed) == 2 * trial.run.model.layers


def test_halving_a_matrix_that_no_norm_follows_moves_the_loss():
    trained = lab.trial(lab.named(l2.EXPERIMENT, l2.NONE), optim__lr=0.02, train__steps=20).train()
    before = trained.losses_of()["train"]
    for pattern, moves in ((l2.FREE, False), ("embedding", True)):
        with torch.no_grad():
            for w in optim.select(trained.model, pattern).values():
                w.mul_(0.5)
        assert (abs(trained.losses_of()["train"] - before) > 1e-2) is moves


def test_size_is_that_of_all_numbers_together():
    assert l2.rms([torch.full((2, 3), 2.0), torch.full((3,), -5.0)]) == pytest.approx(11**0.5)


def test_a_strong_decay_makes_the_measured_matrices_smaller():
    found = {
        name: l2.trial(lab.trial(lab.named(l2.EXPERIMENT, name), train__steps=30, optim__lr=0.01))
        for name in (l2.NONE, "decay 10", l2.ONLY)
    }
    assert found["decay 10"]["rms"] < 0.8 * found[l2.NONE]["rms"]
    assert found[l2.ONLY]["rms_free"] < 0.8 * found[l2.NONE]["rms_free"]
