"""Residual: plain tensors, what is skipped, what travels along."""

import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.noise import StochasticDepth, bind
from mainstem.stream import Couple, Residual, State


def test_a_plain_tensor_is_added_to():
    linear = nn.Linear(4, 4)
    x = torch.randn(2, 3, 4)
    assert torch.equal(Residual([linear])(x), x + linear(x))


def test_a_branch_that_gives_zero_leaves_x_to_the_bit():
    linear = nn.Linear(4, 4)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    x = torch.randn(2, 3, 4)
    assert torch.equal(Residual([linear])(x), x)


def test_one_reversible_residual_fits_into_any_model():
    linear = nn.Linear(4, 4)
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(Residual([linear], Couple())(x), x + 0.5 * linear(x))


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.rows = nn.Linear(4, 4), []

    def forward(self, x):
        self.rows.append(len(x))
        return self.linear(x)


def test_skipped_samples_are_not_computed():
    counting = Counting()
    residual = bind(Residual([counting], drop_path=StochasticDepth(0.5)))
    x = torch.randn(16, 3, 4)
    with noise.counter(seed=0, step=0, samples=range(16)):
        y = residual(x)
    untouched = (y == x).all(2).all(1)
    assert counting.rows == [int((~untouched).sum())]
    assert 0 < counting.rows[0] < 16
    torch.testing.assert_close(y[~untouched], (x + 2 * counting.linear(x))[~untouched])


def test_a_branch_that_everybody_skips_has_zero_gradients():
    residual = bind(Residual([nn.Linear(4, 4)], drop_path=StochasticDepth(0.9, per="batch")))
    x = torch.randn(2, 3, 4, requires_grad=True)
    for step in range(50):
        residual.zero_grad()
        with noise.counter(seed=0, step=step, samples=range(2)):
            y = residual(x)
        if torch.equal(y, x):
            y.sum().backward()
            assert residual.branch.linear.weight.grad.abs().sum() == 0
            return
    raise AssertionError("fifty draws at rate 0.9 kept the branch every time")


def test_noise_in_a_skipped_branch_belongs_to_its_sample():
    residual = bind(Residual([noise.Dropout(0.5)], drop_path=StochasticDepth(0.5)))
    x = torch.ones(8, 3, 16)
    with noise.counter(seed=0, step=0, samples=range(8)):
        whole = residual(x)
    for row in range(8):
        with noise.counter(seed=0, step=0, samples=[row]):
            assert torch.equal(residual(x[row : row + 1])[0], whole[row])


class Publishing(nn.Module):
    def forward(self, x):
        return x, {"mine": x}


def test_values_travel_beside_the_stream_and_cannot_be_skipped():
    x = torch.ones(4, 3, 2)
    state = Residual([Publishing()])(State(x, {"other": x}))
    assert sorted(state.side) == ["mine", "other"]
    residual = bind(Residual([Publishing()], drop_path=StochasticDepth(0.5)))
    with noise.counter(seed=0, step=0, samples=range(4)), pytest.raises(BadInput, match="mine"):
        residual(State(x, {}))
