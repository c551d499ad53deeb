"""Whole samples dropped: the decisions of stochastic depth, exact zeros, and the gradient."""

import math

import pytest
import torch
from arrays import draw, needs_kernels

from mainstem import ops
from mainstem.errors import BadInput

both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_the_decisions_are_those_of_mask_bits(impl, rate, dtype):
    threshold, counter = ops.threshold(rate), draw(37)
    x = torch.randn(37, 3, 5, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    y = ops.drop_path(x, threshold, site=9, draw=counter, impl=impl)
    kept = ops.mask_bits((37, 1), threshold, site=9, draw=counter)[:, 0].bool()
    assert kept.all() if rate == 0 else not kept.all()
    scale = 65536.0 / max(65536 - int(threshold), 1)
    expected = (x.detach().float() * torch.tensor(scale)).to(dtype) * kept[:, None, None]
    assert y.equal(expected)
    y.sum().backward()
    assert x.grad.equal((kept[:, None, None] * torch.tensor(scale)).to(dtype).expand_as(x))


@both
def test_a_dropped_nan_is_zero(impl):
    y = ops.drop_path(torch.full((4, 2), math.nan), ops.threshold(1.0), site=9, draw=draw(4), impl=impl)
    assert y.equal(torch.zeros(4, 2))


def test_it_is_differentiated_by_functional_transforms_and_twice():
    x, counter = torch.ones(8, 2, dtype=torch.float64), draw(8)

    def total(x):
        return ops.drop_path(x, ops.threshold(0.5), site=9, draw=counter).pow(2).sum()

    assert torch.func.grad(total)(x).unique().tolist() == [0.0, 8.0]
    assert torch.autograd.gradgradcheck(total, x.requires_grad_())


@pytest.mark.parametrize("x", [torch.ones(3, 2), torch.tensor(1.0), torch.ones(4, 2, dtype=torch.int64)])
def test_what_does_not_fit_is_refused(x):
    with pytest.raises(BadInput):
        ops.drop_path(x, ops.threshold(0.5), site=9, draw=draw(4))
