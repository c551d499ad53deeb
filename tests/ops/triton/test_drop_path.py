"""Whole samples dropped by Triton: the bits of the reference."""

import math

import pytest
import torch
from arrays import draw

from mainstem import ops

# A sample is left out alike whatever its length, so that the long ones, which take several programs, have one rate.
CASES = [
    (shape, rate) for shape in ((1,), (7, 3, 5), (5, 1031), (2, 0)) for rate in (0.0, 0.4, 1.0)
    if rate == 0.4 or shape != (5, 1031)
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("shape", "rate"), CASES)
def test_result_and_gradient_are_the_references(shape, dtype, rate, device):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    x.view(-1)[:1] = math.nan
    results = []
    for impl, where in (("reference", "cpu"), ("triton", device)):
        leaf = x.clone().to(where).requires_grad_()
        y = ops.drop_path(leaf, ops.Mask(ops.threshold(rate), draw(shape[0]), 9), impl=impl)
        y.sum().backward()
        results.append([part.detach().cpu().nan_to_num(7.0) for part in (y, leaf.grad)])
    assert all(map(torch.equal, *results))
