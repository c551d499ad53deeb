"""Rows taken and put back: what indexing gives, with gradients by finite differences, twice, and under torch.func."""

import pytest
import torch

from mainstem.stream.subset import spread, take


@pytest.mark.parametrize("index", [[2, 0], [0, 1, 2, 3], [3], []])
def test_both_are_what_indexing_gives(index):
    x, at = torch.randn(4, 3, 2), torch.tensor(index, dtype=torch.int64)
    assert torch.equal(take(x, at), x[at])
    wanted = torch.zeros(4, 3, 2)
    wanted[at] = x[at]
    assert torch.equal(spread(x[at], at, 4), wanted)


@pytest.mark.parametrize("index", [[2, 0], [3]])
def test_gradients_by_finite_differences_twice(index):
    at = torch.tensor(index)
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(len(index), 3, dtype=torch.float64, requires_grad=True)
    for function, given in ((lambda x: take(x, at).sin(), x), (lambda y: spread(y, at, 4).sin(), y)):
        assert torch.autograd.gradcheck(function, given)
        assert torch.autograd.gradgradcheck(function, given)


def test_torch_func_differentiates_both():
    at, x = torch.tensor([2, 0]), torch.randn(4, 3)
    found = torch.func.grad(lambda x: spread(take(x, at).square(), at, 4).sum())(x)
    wanted = torch.zeros(4, 3)
    wanted[at] = 2 * x[at]
    assert torch.equal(found, wanted)
