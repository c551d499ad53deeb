"""The percentile of the norms before is that by nearest rank, of the share as it is written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mainstem.optim import Percentile


def place(below: float, last: int) -> int:
    """Return which of the norms 1, ..., last is the largest that is no spike for them."""
    skip, norms = Percentile(last=last, below=below, factor=1.0), torch.randperm(last) + 1.0
    return max(norm for norm in range(1, last + 1) if not skip.is_spike(torch.tensor(float(norm)), norms))


@pytest.mark.parametrize("last", [1, 3, 20, 100, 128])
def test_it_is_the_least_norm_with_at_least_that_share_at_it_or_below(last: int) -> None:
    """0.55 of 100 are 55, where the product of floats lies above; so do others here."""
    for hundredths in (7, 14, 15, 28, 29, 55, 56, 57, 58, 95, 100):
        assert place(hundredths / 100, last) == -(-hundredths * last // 100)


@pytest.mark.parametrize("below", [0.125, 0.5, 0.75, 1.0])
def test_it_is_numpys_inverted_cdf(below: float) -> None:
    for last in (1, 2, 5, 8, 13):
        assert place(below, last) == np.quantile(np.arange(1, last + 1), below, method="inverted_cdf")
