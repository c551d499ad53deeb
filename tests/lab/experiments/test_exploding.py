"""Matrices made larger, and growth that leaves the range of numbers."""

import math

import lab
import torch

from mainstem.lab import Cell
from mainstem.lab.experiments.exploding import EXPERIMENT, enlarge, growth
from mainstem.lab.measured import flow


def test_the_matrices_of_the_blocks_grow_and_nothing_else():
    trial = lab.trial(Cell("c"))
    small, large = trial.build(), trial.build()
    enlarge(large, 2.0)
    for (name, a), (_, b) in zip(small.named_parameters(), large.named_parameters(), strict=True):
        inside = name.startswith("blocks.") and a.dim() > 1
        assert torch.equal(2 * a if inside else a, b), name
    assert any(name.startswith("blocks.") for name, _ in small.named_parameters())


def test_growth_is_bounded_by_the_range_of_numbers():
    assert growth([100.0, 7.0, 1.0]) == 2.0
    assert growth([1e39, 1.0]) == 39.0
    assert growth([math.inf, 1.0]) == growth([math.nan, 1.0]) == growth([1e308, 1e-308]) == 308.0
    assert growth([1.0, 1.0]) == 0.0


def test_growth_is_not_what_sums_are_rounded_by():
    """Where attention saturates, float32 is wrong by decades, and differently where a sum has another order.

    Values are added up head by head. Turned around in each head, with the columns of the projection that reads them,
    they make the same function.
    """
    cell = next(cell for cell in EXPERIMENT.cells if cell.name == "residual, no norm, 1.5x")
    one = lab.trial(cell, **{name.replace(".", "__"): value for name, value in EXPERIMENT.base.items()})
    network = one.build()
    enlarge(network, 1.5)
    there = flow(one, network)
    with torch.no_grad():
        for each in (block.attention.branch.attention for block in network.blocks):
            rows, columns = each.value.weight, each.output.weight
            rows.copy_(rows.unflatten(0, (2, -1)).flip(1).flatten(0, 1))
            columns.copy_(columns.unflatten(1, (2, -1)).flip(2).flatten(1, 2))
    found = flow(one, network)
    assert growth(there.gradient) > 5
    torch.testing.assert_close(found.gradient, there.gradient, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.stream, there.stream, rtol=1e-6, atol=0)
