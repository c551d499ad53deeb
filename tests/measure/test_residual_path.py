"""Whether a layer's input reaches its output by sums alone, however long its branch is."""

import pytest
import torch

from mainstem.measure.residual_path import passes


def layer(adds, length):
    """Return the node of a layer's input, and its output: a product, `length` times scaled, and perhaps its input."""
    x, weight = torch.ones(1, 2, requires_grad=True) * 1, torch.ones(2, 2, requires_grad=True)
    y = x @ weight
    for _ in range(length):
        y = y * 1.0
    return [x.grad_fn], [x + y if adds else y]


@pytest.mark.parametrize("length", [0, 10, 3000])
def test_a_sum_at_the_end_is_found_past_any_branch(length):
    assert passes(*layer(True, length)) is True


def test_where_no_sum_is_found_that_is_said_if_every_node_was_seen():
    assert passes(*layer(False, 10)) is False
    assert passes(*layer(False, 3000)) is None
