"""A linear map by either library: values, gradients of any order, and who is left to torch."""

import importlib

import pytest
import torch
import torch.nn.functional as F
from arrays import normal

from mainstem import ops
from mainstem.errors import BadInput

# The functions of the same names hide the modules.
module, product = (importlib.import_module(f"mainstem.ops.{name}") for name in ("linear", "product"))


@pytest.fixture(params=[False, True], ids=["as it comes", "oneDNN"])
def anyway(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(module, "onednn", lambda: True)
        monkeypatch.setattr(product, "onednn", lambda: True)
        monkeypatch.setattr(module, "WORTH", 1)
        for name in ("WORTH", "WORTH_TRANSPOSED"):
            monkeypatch.setattr(product, name, 1)


@pytest.mark.parametrize("shape", [(1, 3), (5, 7, 16), (2, 3, 4, 8), (0, 4), (12, 64, 128)])
def test_it_is_torchs_own(shape, anyway):
    x, weight = normal(shape).requires_grad_(), normal((24, shape[-1])).requires_grad_()
    wide = [t.detach().double().requires_grad_() for t in (x, weight)]
    y, exact = ops.linear(x, weight), F.linear(*wide)
    torch.testing.assert_close(y.double(), exact, rtol=1e-5, atol=1e-4)
    upstream = normal(y.shape).cos()
    expected = torch.autograd.grad(exact, wide, upstream.double())
    for found, want in zip(torch.autograd.grad(y, (x, weight), upstream), expected, strict=True):
        torch.testing.assert_close(found.double(), want, rtol=1e-5, atol=1e-3)


def test_the_gradient_of_a_sum_whose_upstream_is_one_number_repeated(anyway):
    x, weight = normal((6, 5)).requires_grad_(), normal((4, 5)).requires_grad_()
    ops.linear(x, weight).sum().backward()
    torch.testing.assert_close(x.grad, weight.detach().sum(0).expand(6, 5))
    torch.testing.assert_close(weight.grad, x.detach().sum(0).expand(4, 5))


def test_a_second_derivative(anyway):
    x, weight = normal((3, 5)).requires_grad_(), normal((4, 5)).requires_grad_()

    def second(call):
        first = torch.autograd.grad(call(x, weight).sin().sum(), (x, weight), create_graph=True)
        return torch.autograd.grad(sum(g.cos().sum() for g in first), (x, weight))

    for found, want in zip(second(ops.linear), second(F.linear), strict=True):
        torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-5)


def test_only_what_is_asked_for_has_a_gradient(anyway):
    x, weight = normal((3, 5)), normal((4, 5)).requires_grad_()
    assert torch.autograd.grad(ops.linear(x, weight).sum(), weight)[0].shape == (4, 5)
    assert torch.autograd.grad(ops.linear(weight, x).sum(), weight)[0].shape == (4, 5)


def test_transforms_compilers_modes_and_autocast_are_torchs_own(anyway, monkeypatch):
    x, weight = normal((30, 50)), normal((40, 50))
    expected = F.linear(x, weight)

    def refuse(*_):
        raise AssertionError("the node of our own is called")

    monkeypatch.setattr(module, "_once", refuse)
    torch.testing.assert_close(torch.func.vmap(lambda row: ops.linear(row, weight))(x), expected)
    gradient = torch.func.grad(lambda x: ops.linear(x, weight).sum())(x)
    torch.testing.assert_close(gradient, weight.sum(0).expand(30, 50))
    compiled = torch.compile(ops.linear, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, weight), expected)
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted:
        ops.linear(x, weight)
    assert counted.get_total_flops() == 2 * 30 * 40 * 50
    with torch.autocast("cpu", torch.bfloat16):
        assert ops.linear(x, weight).dtype == torch.bfloat16
    assert ops.linear(x.double(), weight.double()).dtype == torch.float64


def test_weights_that_are_not_alike_are_refused():
    module.alike(normal((2, 3)), [normal((4, 3))])
    with pytest.raises(BadInput, match=r"x is torch.int64 on cpu and the weights are torch.float32 on cpu"):
        module.alike(torch.ones(2, dtype=torch.int64), [normal((4, 3))])
    with pytest.raises(BadInput, match=r"torch.float32 on cpu, torch.float32 on meta: give all of one"):
        module.alike(normal((2, 3)), [normal((4, 3)), torch.empty(4, 3, device="meta")])
