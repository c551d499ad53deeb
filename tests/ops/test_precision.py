"""What a formula says of its dtypes holds under autocast too, with a kernel and without."""

import pytest
import torch
from arrays import needs_kernels, normal

from mainstem import ops

H, Y, TABLE = normal((2, 3, 4, 16)), normal((2, 3, 16)), normal((4, 6))
HEADS = normal((2, 2, 8, 16))
X, WORDS, TARGETS = normal((20, 16)), normal((9, 16)), torch.arange(20) % 9

CALLS = {
    "mix_streams": lambda impl: ops.mix_streams(H, TABLE, Y, impl=impl),
    "step_streams": lambda impl: ops.step_streams(
        H, TABLE, project_KD=normal((6, 16)), scales=torch.tensor([0.5, 2.0]), impl=impl
    )[2],
    "attention": lambda impl: ops.attention(HEADS, HEADS.cos(), HEADS.sin(), impl=impl),
    "cross_entropy": lambda impl: ops.cross_entropy(X, WORDS, TARGETS, reduction="none", impl=impl),
}


@pytest.mark.parametrize("impl", ["reference", pytest.param("cpu", marks=needs_kernels)])
@pytest.mark.parametrize("name", CALLS)
def test_autocast_lowers_no_arithmetic_of_an_op(name, impl):
    expected = CALLS[name](impl)
    with torch.autocast("cpu", torch.bfloat16):
        found = CALLS[name](impl)
    assert found.dtype == torch.float32 and found.equal(expected)


def test_autocast_lowers_no_bias_no_agreement_and_no_gradient():
    def results():
        query = HEADS.clone().requires_grad_()
        biased = ops.attention(query, HEADS, HEADS, bias=torch.ones(1, 1, 8, 8))
        slope = torch.autograd.grad(ops.attention(query, HEADS, HEADS).sin().sum(), query, create_graph=True)[0]
        return biased, slope, ops.agreeing(X, X.cos(), WORDS, TARGETS, coef=0.5)

    expected = results()
    with torch.autocast("cpu", torch.bfloat16):
        found = results()
    for value, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(value, exact)


def test_compiled_under_autocast_it_is_one_graph_and_the_same():
    call = torch.compile(
        lambda h, y: ops.mix_streams(h, TABLE, y, impl="reference"), backend="aot_eager", fullgraph=True
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = call(H, Y)
    torch.testing.assert_close(found, ops.mix_streams(H, TABLE, Y, impl="reference"))
