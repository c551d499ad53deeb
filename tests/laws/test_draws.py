"""Masks are independent draws of their rate: chi-square over 134 million elements, along each axis of the counter."""

import pytest
import torch
from scipy.stats import chi2

from mainstem import ops
from mainstem.counter import Draw, site_id

BYTES = 1 << 24
"""Patterns of eight draws that are counted: 2^27 draws."""


def bits(rate, step, samples, columns):
    """Return keep decisions, eight columns to a byte, [samples, columns / 8]."""
    draw = Draw(torch.tensor([7, step, 0]), torch.arange(samples))
    return ops.mask_bits((samples, columns), ops.Mask(ops.threshold(rate), draw, site_id("drop", "law")))


def patterns(along, rate):
    """Return how often each pattern of eight draws that lie next to each other occurs, [256]."""
    if along == "columns":
        return torch.bincount(bits(rate, 1, 64, BYTES // 8).flatten().int(), minlength=256)
    if along == "samples":
        eight = bits(rate, 1, 64, BYTES // 8).view(8, 8, -1)
    else:
        eight = torch.stack([bits(rate, step, 8, BYTES // 8) for step in range(8)], 1)
    counts = torch.zeros(256, dtype=torch.int64)
    for column in range(8):
        pattern = sum(((eight[:, place] >> column) & 1).int() << place for place in range(8))
        counts += torch.bincount(pattern.flatten(), minlength=256)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.25, 0.5])
@pytest.mark.parametrize("along", ["columns", "samples", "steps"])
def test_patterns_are_as_frequent_as_independent_draws_make_them(along, rate):
    counts = patterns(along, rate).double()
    assert counts.sum() == BYTES
    kept = 1 - int(ops.threshold(rate)) / 65536
    ones = torch.tensor([number.bit_count() for number in range(256)])
    expected = BYTES * kept**ones * (1 - kept) ** (8 - ones)
    found = float(((counts - expected) ** 2 / expected).sum())
    low, high = chi2.ppf([1e-5, 1 - 1e-5], 255)
    assert low < found < high
