"""What attention does not see: documents, and the weights that are dropped."""

import pytest
import torch
from arrays import bits, draw, mask, needs_kernels
from attended import SITE, arrays, both, documents_of, dtypes, near, rates, results

from mainstem import ops
from mainstem.counter import Draw
from mainstem.errors import BadInput


@needs_kernels
@dtypes
@rates
@pytest.mark.parametrize("causal", [True, False], ids=["causal", "full"])
@pytest.mark.parametrize("positions", [1, 7, 64, 150, 333])
def test_documents(positions, causal, rate, dtype):
    given = arrays((2, 2, 1, positions, positions, 9), dtype)
    settings = {"causal": causal, "documents": documents_of(2, positions)}
    found = results(*given, rate, impl="cpu", **settings)
    near(found, results(*(array.double() for array in given), rate, impl="reference", **settings), dtype)


@needs_kernels
def test_a_document_is_what_it_is_alone():
    query, key, value, upstream = arrays((1, 2, 2, 200, 200, 16))
    documents = torch.tensor([[5] * 70 + [-3] * 130])
    together = results(query, key, value, upstream, documents=documents)
    for part in (slice(0, 70), slice(70, 200)):
        alone = results(*(array[:, :, part] for array in (query, key, value, upstream)))
        near([value[:, :, part] for value in together], alone, torch.float32)


def masks(rows, heads, queries, keys, context, threshold, own):
    """Return which weights are kept, seen through the op: with equal scores and one-hot values it shows its weights."""
    query, key = torch.zeros(rows, heads, queries, keys), torch.zeros(rows, heads, keys, keys)
    value = torch.eye(keys).expand(rows, heads, keys, keys)
    shown = ops.attention(query, key, value, ops.Mask(threshold, own, SITE), context=context, causal=False, impl="cpu")
    scale = 65536 / (65536 - int(threshold)) / keys
    torch.testing.assert_close(shown, (shown != 0) * scale)
    return shown != 0


@needs_kernels
@pytest.mark.parametrize(
    ("queries", "keys", "context"),
    [(1, 1, 1), (1, 9, 64), (8, 8, 8), (64, 64, 64), (64, 64, 256), (65, 65, 65), (100, 100, 128), (30, 200, 1000),
     (256, 256, 256), (70, 300, 300), (70, 300, 4096)],
)  # fmt: skip
def test_the_mask_is_that_of_dropout_to_the_bit(queries, keys, context):
    threshold, own = ops.threshold(0.37), draw(2, step=2**28 - 1, view=15, first=2**32 - 5)
    weights = torch.ones(2, 3, queries, keys)
    expected = ops.dropout(weights, ops.Mask(threshold, own, SITE), context=context, impl="reference") != 0
    assert masks(2, 3, queries, keys, context, threshold, own).equal(expected)


@needs_kernels
def test_the_mask_is_that_of_dropout_where_the_counter_is_nearly_full():
    # 2 heads of 131072 positions take 2^32 calls: the last head's rows are numbered up to the last of them.
    threshold, own, context = ops.threshold(0.5), draw(1), 131072
    expected = ops.dropout(torch.ones(1, 2, 3, 90), ops.Mask(threshold, own, SITE), context=context) != 0
    assert masks(1, 2, 3, 90, context, threshold, own).equal(expected)
    with pytest.raises(BadInput, match="2\\^32"):
        masks(1, 3, 3, 90, context, threshold, own)


@needs_kernels
def test_masks_do_not_depend_on_the_split_of_the_batch():
    given = arrays((5, 2, 2, 90, 90, 16))
    own = draw(5)
    whole = results(*given, mask=mask(0.2, own, SITE), impl="cpu")
    for part in (slice(0, 1), slice(1, 3), slice(3, 5)):
        split = Draw(own.key, own.samples[part])
        rows = results(*(a[part] for a in given), mask=mask(0.2, split, SITE), impl="cpu")
        for want, found in zip(whole, rows, strict=True):
            assert bits(found).equal(bits(want[part]))


@both
@dtypes
def test_every_weight_dropped_gives_zero(impl, dtype):
    for value in results(*arrays((2, 2, 1, 70, 70, 8), dtype), 1.0, impl=impl):
        assert not value.any()
