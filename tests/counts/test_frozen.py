import itertools

import numpy as np
import plain_counts
import pytest
from plain_counts import text

from mainstem import counts


def made(tokens, vocab, order):
    return counts.Frozen(tokens, vocab, order, counts.score(tokens, len(tokens), vocab, order).discounts)


@pytest.mark.parametrize(("vocab", "size", "order"), [(1, 9, 2), (2, 40, 5), (3, 60, 0), (3, 200, 3), (7, 300, 2)])
def test_it_is_what_scoring_each_token_behind_the_context_gives(vocab, size, order):
    tokens = text(vocab, size, seed=order).astype(np.uint8)
    found = made(tokens, vocab, order)
    model = counts.KneserNey(order).fit(tokens, vocab)
    for context in itertools.islice(itertools.product(range(vocab), repeat=order), 40):
        got = found.log_prob(context)
        wanted = [model.log_prob([*context, y])[-1] for y in range(vocab)]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)
        assert np.exp(got).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_it_is_the_definition_recounted(order):
    tokens = text(4, 50, seed=9).astype(np.uint8)
    for context in itertools.product(range(4), repeat=order):
        wanted = plain_counts.distribution(tokens.tolist(), range(50), range(50), context, order, 4)
        np.testing.assert_allclose(np.exp(made(tokens, 4, order).log_prob(context)), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("vocab", "dtype", "order"), [(90, np.uint8, 12), (5000, np.uint16, 8), (1 << 20, np.uint32, 5)]
)
def test_it_scores_a_longer_text_as_the_kernel_does_whatever_the_width_of_a_token(vocab, dtype, order):
    tokens = (text(90, 1500, seed=2) * (vocab // 90)).astype(dtype)
    found, whole = made(tokens[:1200], vocab, order), counts.score(tokens, 1200, vocab, order).frozen
    got = [found.log_prob(tokens[:at])[tokens[at]] for at in range(1200, 1500)]
    np.testing.assert_allclose(got, whole, rtol=0, atol=1e-11)


def test_a_short_context_is_one_that_was_never_counted_further_back():
    tokens = text(3, 200, seed=4).astype(np.uint8)
    found = made(tokens, 4, 3)  # token 3 never occurs
    for context in ([], [1], [2, 0], [0, 0]):
        assert np.array_equal(found.log_prob(context), found.log_prob([3, 3, 3, *context]))
    assert np.array_equal(found.log_prob([1, 2, 0, 1]), found.log_prob([2, 0, 1]))


def test_asking_again_gives_the_same():
    tokens = text(5, 300).astype(np.uint8)
    found = made(tokens, 5, 3)
    assert np.array_equal(found.log_prob([1, 2, 3]), found.log_prob([1, 2, 3]))
    assert len(made(np.zeros(0, np.uint8), 3, 2).log_prob([1])) == 3
    np.testing.assert_allclose(made(np.zeros(0, np.uint8), 3, 2).log_prob([1]), np.log(1 / 3))
