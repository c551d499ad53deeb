"""Whole samples dropped: the decisions of stochastic depth, exact zeros, and the gradient."""

import math

import pytest
import torch
from arrays import bits, draw, needs_kernels

from mainstem import ops
from mainstem.errors import BadInput
from mainstem.ops import library
from mainstem.ops.drop_path import cpu, reference
from mainstem.ops.layout import Layout

both = pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_the_decisions_are_those_of_mask_bits(impl, rate, dtype):
    threshold, counter = ops.threshold(rate), draw(37)
    x = torch.randn(37, 3, 5, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    y = ops.drop_path(x, ops.Mask(threshold, counter, 9), impl=impl)
    kept = ops.mask_bits((37, 1), ops.Mask(threshold, counter, 9))[:, 0].bool()
    assert kept.all() if rate == 0 else not kept.all()
    scale = 65536.0 / max(65536 - int(threshold), 1)
    expected = (x.detach().float() * torch.tensor(scale)).to(dtype) * kept[:, None, None]
    assert y.equal(expected)
    y.sum().backward()
    assert x.grad.equal((kept[:, None, None] * torch.tensor(scale)).to(dtype).expand_as(x))


@both
def test_a_dropped_nan_is_zero(impl):
    y = ops.drop_path(torch.full((4, 2), math.nan), ops.Mask(ops.threshold(1.0), draw(4), 9), impl=impl)
    assert y.equal(torch.zeros(4, 2))


@needs_kernels
@pytest.mark.parametrize("name", [] if isinstance(library.load(), str) else sorted(library.load().variants))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(1,), (9,), (5, 1), (3, 17), (2, 3, 5), (3, 4099), (2, 5, 8209), (0, 4), (3, 0)])
def test_every_instruction_set_gives_the_bits_of_the_reference(shape, dtype, name):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    x.view(-1)[: x.numel() // 2 : 3] = math.inf
    own, threshold = draw(shape[0], first=2**32 - 9), ops.threshold(0.4)
    found = cpu.run(x, threshold, *own, 9, library.load().variants[name])
    expected = reference.drop_path(x, ops.Mask(threshold, own, 9), Layout(1, shape[0], 1, 1))
    assert bits(found).equal(bits(expected))


@needs_kernels
def test_any_layout_and_number_of_threads_gives_the_same_bits():
    x, own, threshold = torch.randn(6, 7000, 5).transpose(1, 2), draw(6), ops.threshold(0.5)
    alone = ops.drop_path(x, ops.Mask(threshold, own, 9), impl="cpu")
    torch.set_num_threads(5)
    assert ops.drop_path(x.contiguous(), ops.Mask(threshold, own, 9), impl="cpu").equal(alone)
    assert 0 < alone.count_nonzero() < alone.numel()


@needs_kernels
def test_the_operator_keeps_torchs_contract_and_is_compiled_whole():
    x, own, threshold = torch.randn(8, 3, 5), draw(8), ops.threshold(0.5)
    torch.library.opcheck(torch.ops.mainstem.drop_path.default, (x, threshold, *own, 9))
    torch._dynamo.reset()

    def path(x):
        return ops.drop_path(x * 2, ops.Mask(threshold, own, 9))

    assert torch.compile(path, fullgraph=True, backend="aot_eager")(x).equal(path(x))


def test_it_is_differentiated_by_functional_transforms_and_twice():
    x, counter = torch.ones(8, 2, dtype=torch.float64), draw(8)

    def total(x):
        return ops.drop_path(x, ops.Mask(ops.threshold(0.5), counter, 9)).pow(2).sum()

    assert torch.func.grad(total)(x).unique().tolist() == [0.0, 8.0]
    assert torch.autograd.gradgradcheck(total, x.requires_grad_())


@both
def test_a_gradient_of_a_gradient_goes_through(impl):
    x, counter = torch.arange(16.0).reshape(8, 2).requires_grad_(), draw(8)
    y = ops.drop_path(x, ops.Mask(ops.threshold(0.5), counter, 9), impl=impl)
    (first,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    # y = 2x where kept: d/dx of 3 y^2 * 2 is 48 x.
    assert second.equal(torch.where(y != 0, 48 * x.detach(), torch.zeros(())))
    assert 0 < second.count_nonzero() < 16


@pytest.mark.parametrize("x", [torch.ones(3, 2), torch.tensor(1.0), torch.ones(4, 2, dtype=torch.int64)])
def test_what_does_not_fit_is_refused(x):
    with pytest.raises(BadInput):
        ops.drop_path(x, ops.Mask(ops.threshold(0.5), draw(4), 9))
