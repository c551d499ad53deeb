"""Shares of branches that are known."""

import lab
import pytest
import torch

from mainstem.lab import Cell
from mainstem.lab.experiments.deviation import decades, shares


def test_branches_of_nothing_have_no_share_and_turn_nothing():
    trial = lab.trial(Cell("c"), model__init="zero")
    share, influence = shares(trial, trial.build())
    assert share == [0.0] * (2 * trial.run.model.layers)
    assert influence == pytest.approx([0.0] * len(influence), abs=1e-6)


def test_a_branch_that_is_twice_as_large_has_twice_the_share_of_the_first_stream():
    trial = lab.trial(Cell("c"), model__layers=1)
    network = trial.build()
    before, _ = shares(trial, network)
    with torch.no_grad():
        network.blocks[0].attention.branch.attention.get_submodule("output").weight.mul_(2)
    after, _ = shares(trial, network)
    assert after[0] == pytest.approx(2 * before[0], rel=1e-5)


def test_the_mean_is_of_orders_of_magnitude():
    assert decades([1.0, 100.0]) == pytest.approx(1.0)
