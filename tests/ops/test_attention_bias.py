"""Padding and a bias of scores: what torch's attention and a softmax over fewer keys give, cross attention too."""

import math

import pytest
import torch
import torch.nn.functional as F
from arrays import draw

from mainstem import ops
from mainstem.errors import BadInput


def arrays(queries=5, keys=7, heads=4, groups=2):
    torch.manual_seed(0)
    shapes = ((3, heads, queries, 6), (3, groups, keys, 6), (3, groups, keys, 6))
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


BIASES = [(3, 4, 5, 7), (1, 4, 5, 7), (3, 1, 1, 7), (1, 1, 5, 1)]


@pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])
@pytest.mark.parametrize("shape", BIASES, ids=str)
def test_a_bias_is_torchs_additive_mask_with_its_gradient(shape, causal):
    given, bias = arrays(), torch.randn(shape, dtype=torch.float64, requires_grad=True)
    hidden = torch.zeros(5, 7, dtype=torch.float64)
    if causal:
        hidden = hidden.masked_fill(~torch.ones(5, 7, dtype=torch.bool).tril(2), -math.inf)
    expected = F.scaled_dot_product_attention(*given, attn_mask=bias + hidden, scale=0.3, enable_gqa=True)
    found = ops.attention(*given, causal=causal, scale=0.3, bias=bias)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for one, other in zip(
        *(torch.autograd.grad(y.pow(3).sum(), [*given, bias]) for y in (found, expected)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_padding_is_the_attention_to_the_keys_that_are_there():
    query, key, value = arrays()
    lengths = [7, 3, 1]
    visible = torch.arange(7) < torch.tensor(lengths)[:, None]
    found = ops.attention(query, key, value, causal=False, visible=visible)
    for row, length in enumerate(lengths):
        alone = [query[row, None], key[row, None, :, :length], value[row, None, :, :length]]
        torch.testing.assert_close(found[row, None], ops.attention(*alone, causal=False, impl="reference"))
    grads = torch.autograd.grad(found.square().sum(), [key, value])
    for grad in grads:
        assert grad[1, :, 3:].eq(0).all() and grad[1, :, :3].ne(0).all()


def test_padding_changes_no_mask():
    mask = ops.Mask(ops.threshold(0.4), draw(3), 5)
    visible = torch.tensor([[True] * 7, [True] * 3 + [False] * 4, [True] + [False] * 6])
    eye = torch.eye(7, dtype=torch.float64).expand(3, 2, 7, 7)
    wide = torch.zeros(3, 4, 5, 7, dtype=torch.float64)
    given = {"causal": False, "impl": "reference"}
    whole, some = (ops.attention(wide, eye * 0, eye, mask, visible=each, **given) for each in (None, visible))
    assert (some != 0).equal((whole != 0) & visible[:, None, None])
    assert 0 < int((some == 0).sum()) and (whole == 0).any()


def test_a_query_that_sees_nothing_is_0_and_so_are_its_gradients():
    given = arrays(7, 7)
    visible = torch.arange(7) >= torch.tensor([0, 3, 7])[:, None]  # causal, so that the first ones see padding alone
    for extra in (
        {"visible": visible},
        {"bias": torch.zeros(3, 1, 1, 7).masked_fill(~visible[:, None, None], -math.inf)},
    ):
        found = ops.attention(*given, **extra)
        assert found[1, :, :3].eq(0).all() and found[2].eq(0).all() and found[1, :, 3:].ne(0).all()
        for grad in torch.autograd.grad(found.square().sum(), given):
            assert grad.isfinite().all() and grad[2].eq(0).all() and grad[0].ne(0).any()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # of torch's own decompositions
def test_transforms_see_through_both():
    given, visible = [array.detach() for array in arrays(3, 4)], torch.arange(4) < torch.tensor([[4], [2], [1]])
    bias = torch.randn(3, 1, 3, 4, dtype=torch.float64)

    def loss(bias):
        return ops.attention(*given, causal=False, visible=visible, bias=bias).pow(3).sum()

    second = torch.func.hessian(loss)(bias).reshape(36, 36)
    torch.testing.assert_close(second, second.T)
    assert torch.autograd.gradgradcheck(loss, bias.requires_grad_())


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"visible": torch.ones(3, 5).bool()}, r"visible is torch.bool of shape \[3, 5\]: give bool \[3, 7\]"),
        ({"visible": torch.ones(3, 7)}, r"visible is torch.float32"),
        ({"bias": torch.zeros(3, 5, 7)}, r"bias is torch.float32 of shape \[3, 5, 7\]: give .* \[3, 4, 5, 7\]"),
        ({"bias": torch.zeros(1, 2, 5, 7)}, r"bias is torch.float32 of shape \[1, 2, 5, 7\]"),
        ({"bias": torch.ones(3, 4, 5, 7, dtype=torch.bool)}, r"bias is torch.bool"),
        ({"bias": torch.zeros(3, 4, 5, 7), "impl": "cpu"}, r"impl 'cpu' of attention takes neither"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(extra, said):
    with pytest.raises(BadInput, match=said):
        ops.attention(*arrays(), causal=False, **extra)
