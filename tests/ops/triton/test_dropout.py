"""Masks and dropout: the bits of the reference, for every layout, rate and kind of array."""

import math

import pytest
import torch
from arrays import LAYOUTS, draw, mask

from mainstem import ops
from mainstem.counter import site_id
from mainstem.ops.mask_bits import triton as kernels

SITE = site_id("drop", "blocks.0.attn.out")
RATES = [0.0, 0.1, 1.0]
# A rate is compared with each draw alike wherever it stands, so that layouts of several programs, which take the
# interpreter seconds, have one.
CASES = [(*each, rate) for each in LAYOUTS for rate in RATES if rate == 0.1 or math.prod(each[0]) < 16_384]


def _same(found, expected):
    return torch.equal(found.cpu().nan_to_num(7.0), expected.cpu().nan_to_num(7.0))


@pytest.mark.parametrize(("shape", "batch_dim", "context", "rate"), CASES)
def test_the_bits_are_those_of_the_reference(shape, batch_dim, context, rate, device):
    counter = draw(shape[batch_dim])
    where = {"batch_dim": batch_dim, "context": context}
    expected = ops.mask_bits(shape, mask(rate, counter, SITE), impl="reference", **where)
    counter = type(counter)(counter.key, counter.samples.to(device))
    found = ops.mask_bits(shape, mask(rate, counter, SITE), impl="triton", **where)
    assert found.device.type == device
    assert found.cpu().equal(expected)


def test_the_worked_example(device):
    counter = draw(1)
    counter = type(counter)(counter.key, counter.samples.to(device))
    bits = ops.mask_bits((1, 2, 12), ops.Mask(ops.threshold(0.25), counter, SITE), impl="triton").cpu()
    text = ["".join(str(byte >> j & 1) for byte in row for j in range(8))[:12] for row in bits[0].tolist()]
    assert text == ["111011101000", "111100111111"]


def test_more_than_one_program_with_a_last_one_that_is_not_full(device):
    shape = (3, 7, 8 * kernels.BLOCK // 16 + 5)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    expected = ops.dropout(x, ops.Mask(ops.threshold(0.1), draw(3), SITE), impl="reference")
    found = ops.dropout(x.to(device), ops.Mask(ops.threshold(0.1), draw(3), SITE), impl="triton")
    assert _same(found, expected)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (5,), (3, 5, 13), (2, 64)])
def test_dropout_and_its_gradient_are_the_references(shape, dtype, rate, device):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(dtype)
    x.view(-1)[0], x.view(-1)[-1] = math.nan, -math.inf
    dy = torch.randn(shape, generator=generator).to(dtype)
    results = []
    for impl, where in (("reference", "cpu"), ("triton", device)):
        leaf = x.detach().to(where).requires_grad_()
        y = ops.dropout(leaf, ops.Mask(ops.threshold(rate), draw(shape[0]), SITE), impl=impl)
        y.backward(dy.to(where))
        results.append((y.detach(), leaf.grad))
    (expected, dexpected), (found, dfound) = results
    assert found.dtype == dtype
    assert _same(found, expected)
    assert _same(dfound, dexpected)


def test_an_array_that_is_not_contiguous(device):
    x = torch.randn(6, 11, 4, generator=torch.Generator().manual_seed(2)).transpose(1, 2)[::2]
    expected = ops.dropout(x, ops.Mask(ops.threshold(0.1), draw(3), SITE), impl="reference")
    found = ops.dropout(x.to(device), ops.Mask(ops.threshold(0.1), draw(3), SITE), impl="triton")
    assert _same(found, expected)


def test_an_empty_array(device):
    x = torch.ones(2, 0, 3, device=device)
    assert ops.dropout(x, ops.Mask(ops.threshold(0.5), draw(2), SITE), impl="triton").shape == (2, 0, 3)
