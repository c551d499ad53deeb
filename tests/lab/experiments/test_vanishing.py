"""The fall of gradients: a chain whose singular values are known."""

import math

import lab
import pytest
import torch
from torch import nn

from mainstem.lab import Cell
from mainstem.lab.experiments.vanishing import DEEPEST, EXPERIMENT, decades
from mainstem.lab.measured import Flow, flow
from mainstem.measure import depth
from mainstem.stream import Replace, Residual


def chain(factor: float, layers: int) -> nn.Sequential:
    """Return layers that turn their input and scale it by `factor`, without residuals."""
    found = nn.Sequential(*(Residual([nn.Linear(4, 4, bias=False)], Replace()) for _ in range(layers)))
    for number, layer in enumerate(found):
        turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(number))).Q
        with torch.no_grad():
            layer.branch.linear.weight.copy_(factor * turn)
    return found.double()


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_chain_of_known_singular_values(factor):
    with depth.norms(chain(factor, 7)) as norms:
        chain_ = chain(factor, 7)
    with depth.norms(chain_) as norms:
        chain_(torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)).sum().backward()
    assert decades(norms.gradient) == pytest.approx(7 * math.log10(factor), abs=1e-6)
    assert Flow(norms.stream, norms.gradient).factor == pytest.approx(factor, abs=1e-6)


def test_a_gradient_that_is_lost_counts_as_the_smallest():
    assert decades([0.0, 1.0]) == -300.0


def test_the_flow_leaves_no_trace():
    trial = lab.trial(Cell("c"), noise__rate=0.5)
    network = trial.build()
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = flow(trial, network), flow(trial, network)
    assert first == second  # without noise
    assert len(first.gradient) == len(first.stream) == 2 * trial.run.model.layers + 1
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_only_the_deepest_networks_are_trained():
    by_depth = {cell.at["layers"]: cell for cell in EXPERIMENT.cells}
    assert "loss" not in lab.measured(EXPERIMENT, by_depth[4])
    assert len(lab.measured(EXPERIMENT, by_depth[DEEPEST])["losses"]) == 3
