"""Matrices made larger, and growth that leaves the range of numbers."""

import math

import lab
import torch

from mainstem.lab import Cell
from mainstem.lab.experiments.exploding import enlarge, growth


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
    assert growth([math.inf, 1.0]) == growth([math.nan, 1.0]) == growth([1e39, 1.0]) == 38.0
    assert growth([1.0, 1.0]) == 0.0
