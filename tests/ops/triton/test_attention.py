"""Attention in blocks against plain PyTorch: results and gradients."""

import pytest
import torch
from arrays import draw, mask

from mainstem import ops
from mainstem.ops.attention import triton as kernels
from mainstem.ops.attention.reference import Settings

SITE = 78


def _oracle(query, key, value, settings):
    documents, mask, context, causal, scale = settings[:5]
    key, value = (part.float().repeat_interleave(query.shape[1] // part.shape[1], 1) for part in (key, value))
    score = query.float() @ key.mT * scale
    seen = torch.ones(score.shape, dtype=torch.bool)
    if causal:
        seen = seen.tril(score.shape[3] - score.shape[2])
    if documents is not None:
        seen &= documents[:, None, :, None] == documents[:, None, None, :]
    weight = score.masked_fill(~seen, float("-inf")).softmax(-1)
    if mask is not None:
        weight = ops.dropout(weight, mask, context=context, impl="reference")
    return (weight @ value).to(query.dtype)


def _compare(sizes, device, *, rate=None, causal=True, documents=None, context=0, dtype=torch.float32):
    batch, heads, groups, queries, keys, width = sizes
    generator = torch.Generator().manual_seed(0)
    query, dout = (torch.randn(batch, heads, queries, width, generator=generator).to(dtype) for _ in range(2))
    # The layout of a split projection: not contiguous.
    key, value = (
        torch.randn(batch, keys, groups, width, generator=generator).to(dtype).transpose(1, 2) for _ in range(2)
    )
    counter = draw(batch)
    settings = Settings(documents, mask(rate, counter, SITE), context or keys, causal, 0.3)
    results = []
    for function, where in ((_oracle, "cpu"), (kernels.attention, device)):
        leaves = [part.detach().to(where).requires_grad_() for part in (query, key, value)]
        out = function(*leaves, settings)
        out.backward(dout.to(where))
        results.append([out, *(leaf.grad for leaf in leaves)])
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 3e-2}
    for expected, found in zip(*results, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.detach().cpu(), expected.detach(), **tolerance)


@pytest.mark.parametrize("rate", [None, 0.1, 1.0])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1, 1, 1), (2, 4, 2, 7, 13, 5), (1, 2, 1, 67, 131, 8)], ids=["one", "grouped", "blocks"]
)
def test_causal_with_a_longer_context(sizes, rate, device):
    _compare(sizes, device, rate=rate, context=150)


@pytest.mark.parametrize("causal", [True, False])
def test_documents(causal, device):
    documents = torch.arange(67).div(29, rounding_mode="floor").repeat(2, 1)
    documents[1] = documents[1].flip(0)
    _compare((2, 1, 1, 67, 67, 4), device, rate=0.3, causal=causal, documents=documents)


def test_more_queries_than_keys_without_order(device):
    _compare((1, 2, 2, 70, 9, 3), device, rate=0.5, causal=False, context=71)


def test_bfloat16(device):
    _compare((2, 2, 1, 17, 19, 16), device, rate=0.1, dtype=torch.bfloat16)


def test_a_wide_head(device):
    _compare((1, 1, 1, 35, 35, 130), device, rate=0.1)


def test_no_key_gives_nothing(device):
    query, key = torch.ones(1, 2, 3, 4, device=device), torch.ones(1, 1, 0, 4, device=device)
    assert not kernels.attention(query, key, key, Settings(None, None, 0, False, 1.0)).any()


def test_a_seen_nan_reaches_the_result(device):
    query, value = torch.ones(1, 1, 4, 4, device=device), torch.ones(1, 1, 4, 4, device=device)
    key = torch.ones(1, 1, 4, 4, device=device)
    key[0, 0, 0, 0] = float("nan")
    assert kernels.attention(query, key, value, Settings(None, None, 0, True, 1.0)).isnan().all()
