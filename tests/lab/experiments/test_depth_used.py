"""Leaving a block out is the network without it, and the network is whole again afterwards."""

import lab
import pytest
import torch

from mainstem.lab import Cell
from mainstem.lab.experiments import depth_used
from mainstem.lab.experiments.depth_used import costs_of
from mainstem.measure.evaluate import over
from mainstem.train.gap import training_windows


def test_a_cost_is_that_of_the_model_built_without_the_block():
    trial = lab.trial(Cell("c"), model__layers=3, train__steps=6, optim__lr=0.01)
    trained = trial.train()
    whole, costs = costs_of(trained)
    shorter = lab.trial(Cell("c"), model__layers=2).build()
    state = trained.model.state_dict()
    # Block 1 of three is gone: 0 stays, 2 becomes 1.
    kept = {name.replace("blocks.2.", "blocks.1."): value for name, value in state.items() if "blocks.1." not in name}
    shorter.load_state_dict(kept)
    held = over(shorter, training_windows(trial.corpus.held_out, shorter.context, depth_used._WINDOWS))
    assert whole + costs[1] == pytest.approx(held.nats_per_token, rel=1e-6)
    assert len(costs) == 3
    assert len(trained.model.blocks) == 3
    assert all(torch.equal(value, state[name]) for name, value in trained.model.state_dict().items())


def test_a_block_of_nothing_costs_nothing():
    trial = lab.trial(Cell("c"), model__layers=2)
    trained = trial.train()
    with torch.no_grad():
        for parameter in trained.model.blocks[1].parameters():
            parameter.zero_()
    _, costs = costs_of(trained)
    assert costs[1] == pytest.approx(0.0, abs=1e-6)
    assert abs(costs[0]) > 1e-6


def test_losses_are_measured_as_the_network_was_trained():
    """They were measured in float32 and across documents, whatever the training was like."""
    trained = lab.trial(Cell("c"), model__layers=2, machine__dtype="bfloat16").train()
    whole, _ = costs_of(trained)
    assert whole == trained.held_out(depth_used._WINDOWS).nats_per_token
