"""What is refused before any element is numbered, and the threshold of a rate."""

import pytest
import torch
from arrays import draw

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops.layout import layout


@pytest.mark.parametrize(
    ("rate", "threshold"), [(0.0, 0), (0.1, 6554), (0.2, 13107), (0.25, 16384), (1.0, 65536), (7e-6, 0), (8e-6, 1)]
)
def test_a_threshold_is_the_rate_in_65536ths(rate, threshold):
    found = ops.threshold(rate)
    assert found.dtype == torch.int64 and found.dim() == 0 and int(found) == threshold


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(BadInput, match="from 0 to 1"):
        ops.threshold(rate)


def test_the_numbers_of_samples_are_both_named():
    with pytest.raises(BadInput, match=r"(?s)has 4 samples.*names 3"):
        layout((4, 5), 0, None, draw(3), 1)
    with pytest.raises(BadInput, match=r"(?s)axis 1.*has 5 samples.*names 4"):
        layout((4, 5, 6), 1, None, draw(4), 1)


@pytest.mark.parametrize(
    ("shape", "batch_dim", "context", "samples", "message"),
    [
        ((), 0, None, 1, "not an axis"),
        ((4, 5), 2, None, 4, "not an axis"),
        ((4, 5), 1, None, 5, "last axis"),
        ((4, 5), -1, None, 5, "last axis"),
        ((4, 5, 6), 0, 8, 4, "B, H, Q, K"),
        ((4, 5, 6, 7), 1, 8, 5, "B, H, Q, K"),
        ((4, 5, 9, 7), 0, 8, 4, "context of 8"),
        ((4, 5, 7, 9), 0, 8, 4, "context of 8"),
    ],
)
def test_axes_that_do_not_fit_are_refused(shape, batch_dim, context, samples, message):
    with pytest.raises(BadInput, match=message):
        layout(shape, batch_dim, context, draw(samples), 1)


@pytest.mark.parametrize("site", [-1, 1 << 32])
def test_a_site_that_is_no_word_is_refused(site):
    with pytest.raises(BadInput, match="site"):
        layout((4, 5), 0, None, draw(4), site)


def test_a_sample_may_fill_the_counter_but_not_more():
    assert layout((1, 1 << 32, 8), 0, None, draw(1), 1).between == 1 << 32
    with pytest.raises(BadInput, match=r"room for 2\^32"):
        layout((1, (1 << 32) + 1, 8), 0, None, draw(1), 1)
    with pytest.raises(BadInput, match=r"room for 2\^32"):
        layout((1, 1 << 32, 9), 0, None, draw(1), 1)
    assert layout((1, 8, 1, 1), 0, 1 << 16, draw(1), 1).context == 1 << 16
    with pytest.raises(BadInput, match=r"room for 2\^32"):
        layout((1, 9, 1, 1), 0, 1 << 16, draw(1), 1)
    assert layout((1, 16, 1, 1), 0, 46_000, draw(1), 1).context == 46_000
