import itertools
import math

import numpy as np
import plain_counts
import pytest
from plain_counts import text

from mainstem import counts
from mainstem.counts import cpu
from mainstem.counts.scored import highest
from mainstem.errors import BadInput

IMPLS = ["reference", pytest.param("cpu", marks=pytest.mark.skipif(not cpu.there(), reason="no compiled kernels"))]
WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.uint32}


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("vocab", [1, 2, 3, 7])
@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_it_is_a_recount_from_the_definition(vocab, order, impl):
    tokens = text(vocab, 48, seed=order)
    model = counts.KneserNey(order).fit(tokens[:36], vocab)
    found = model.score(tokens[36:], impl=impl)
    for adaptive, probabilities in ((False, found.frozen), (True, found.adaptive)):
        wanted = plain_counts.log_probs(tokens.tolist(), 36, vocab, order, adaptive)
        np.testing.assert_allclose(probabilities, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("order", [0, 1, 3])
def test_every_context_has_probabilities_that_sum_to_one(order, impl):
    model = counts.KneserNey(order).fit(text(3, 60), 3)
    for length in range(4):
        for context in itertools.product(range(3), repeat=length):
            last = [
                model.log_prob([*context, y], adaptive=adaptive)[-1] for adaptive in (False, True) for y in range(3)
            ]
            assert sum(map(math.exp, last)) == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize("impl", IMPLS)
def test_discounts_have_their_closed_form(impl):
    tokens = text(9, 800)
    found = counts.KneserNey(3).fit(tokens, 9).score([], impl=impl).discounts
    wanted = [plain_counts.discounts(plain_counts.counts(tokens, range(800), k, k == 3)) for k in range(4)]
    np.testing.assert_allclose(found, wanted, atol=1e-14)
    assert wanted[0] == (0.5, 1.0, 1.5) and wanted[2] != (0.5, 1.0, 1.5)


@pytest.mark.parametrize("impl", IMPLS)
def test_the_order_is_the_best_on_the_last_tenth_of_what_is_counted(impl):
    tokens = text(5, 700, seed=3)
    model = counts.KneserNey().fit(tokens[:600], 5)
    found = model.score(tokens[600:], impl=impl)
    tried = [-counts.KneserNey(k).fit(tokens[:540], 5).log_prob(tokens[540:600]).mean() for k in range(highest(5) + 1)]
    np.testing.assert_allclose(found.by_order, tried, atol=1e-12)
    assert found.order == np.argmin(tried)
    np.testing.assert_allclose(
        found.adaptive, counts.KneserNey(found.order).fit(tokens[:600], 5).log_prob(tokens[600:], adaptive=True)
    )


@pytest.mark.skipif(not cpu.there(), reason="no compiled kernels")
@pytest.mark.parametrize(
    ("vocab", "size", "width", "order"),
    [(2, 3000, 1, 31), (2, 100, 4, 31), (65, 3000, 1, 17), (300, 2000, 2, 8), (65536, 400, 2, 7), (1 << 20, 300, 4, 5),
     (5, 1, 1, 3), (5, 2, 1, None), (5, 3000, 1, None), (1, 70_000, 1, 3), (3, 70_000, 1, 4)],
)  # fmt: skip
def test_the_kernel_and_the_reference_agree(vocab, size, width, order):
    tokens = text(min(vocab, 90), size) * (vocab // min(vocab, 90))
    tokens = tokens.astype(WIDTHS[width])
    one, other = (counts.score(tokens, size * 3 // 4, vocab, order, impl=impl) for impl in ("cpu", "reference"))
    assert one.order == other.order
    for a, b in zip(one[1:], other[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.skipif(not cpu.there(), reason="no compiled kernels")
def test_they_agree_where_most_positions_stand_behind_the_same_token():
    draw = np.random.default_rng(0)
    tokens = np.where(draw.random(60_000) < 0.95, 7, draw.integers(0, 60_000, 60_000)).astype(np.uint16)
    one, other = (counts.score(tokens, 45_000, 60_000, 3, impl=impl) for impl in ("cpu", "reference"))
    np.testing.assert_allclose(one.adaptive, other.adaptive, rtol=0, atol=1e-12)


@pytest.mark.parametrize("impl", IMPLS)
def test_nothing_is_scored_by_what_comes_after_it(impl):
    tokens = text(4, 300, seed=5)
    model = counts.KneserNey(3).fit(tokens[:200], 4)
    whole = model.score(tokens[200:], impl=impl)
    for stop in (201, 230, 299):
        part = model.score(tokens[200:stop], impl=impl)
        assert np.array_equal(part.frozen, whole.frozen[: stop - 200])
        assert np.array_equal(part.adaptive, whole.adaptive[: stop - 200])


@pytest.mark.parametrize("impl", IMPLS)
def test_it_ends_when_asked_to_and_says_how_far_it_is(impl):
    model, work = counts.KneserNey().fit(text(4, 300), 4), counts.Work()
    model.score([1, 2], work=work, impl=impl)
    assert work.share == 1.0
    work.stop()
    with pytest.raises(counts.Stopped):
        model.score([1, 2], work=work, impl=impl)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(BadInput, match="An order of 16 is not one of 0 to 15"):
        counts.KneserNey(16).fit([0, 255])
    for impl in IMPLS:
        with pytest.raises(BadInput, match="An order of 16 is not one of 0 to 15"):
            counts.score(np.array([0, 255], np.uint8), 1, 256, 16, impl=impl)
    with pytest.raises(BadInput, match="Token 9 is none of a vocabulary of 5"):
        counts.KneserNey(1).fit([0, 4]).log_prob([9])
    for wrong in ([-1], [0.5], [[1, 2]]):
        with pytest.raises(BadInput, match="is no text"):
            counts.KneserNey(1).fit(wrong)


def test_no_text_at_all_is_a_guess():
    np.testing.assert_allclose(counts.KneserNey(2).fit([], 4).log_prob([3, 3]), [-math.log(4)] * 2)
    assert len(counts.KneserNey().fit([1, 2, 3]).log_prob([])) == 0


@pytest.mark.skipif(not cpu.there(), reason="no compiled kernels")
def test_more_tokens_than_the_kernel_can_number_are_refused_with_their_number(monkeypatch):
    monkeypatch.setattr(cpu, "_MOST", 59)
    model = counts.KneserNey(1).fit(text(3, 50), 3)
    assert len(model.log_prob(text(3, 9))) == 9
    with pytest.raises(BadInput, match="60 tokens cannot be counted at once, only 59: give fewer"):
        model.log_prob(text(3, 10))
