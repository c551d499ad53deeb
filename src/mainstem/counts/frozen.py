"""What follows a context by counts of a text: all tokens' probabilities at once.

Shapes: N counted tokens, V vocabulary, K order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DENSE = 1 << 16
"""Pairs of tokens up to which their presence is a table, whatever the number of places is."""

_KEPT = 4096
"""Distributions of short contexts that are kept: the shorter a context, the more places it has, and the oftener it
is asked for."""


class Frozen:
    """Interpolated modified Kneser-Ney of one order as the distribution of the next token.

    `score` says what counts make of a text; this says what they make of all V continuations of one context, from
    places that are sorted once by the tokens before them: a context of any length is then an interval.

    Args:
        tokens: what is counted.
        vocab: how many tokens there are.
        order: tokens before the next one that are looked at, K.
        discounts: what is taken off counts of 1, of 2, and of 3 and more, by order, as `Scored` has them.

    Shapes:
        tokens: [N], unsigned; discounts: [K + 1, 3].

    Source:
        Chen and Goodman 1998, An Empirical Study of Smoothing Techniques, section 3; the formula is in
        `counts.reference`.

    Example:
        >>> from mainstem.counts import score
        >>> tokens = np.array([0, 1, 2, 0, 1, 2, 0, 1], np.uint8)
        >>> found = Frozen(tokens, 3, 2, score(tokens, 8, 3, order=2).discounts)
        >>> np.exp(found.log_prob([0, 1])).round(2)
        array([0.1 , 0.07, 0.82])
    """

    def __init__(self, tokens: NDArray[Any], vocab: int, order: int, discounts: NDArray[np.float64]) -> None:
        self.vocab, self.order = vocab, order
        self._discounts = np.asarray(discounts, np.float64)
        self._lead = order + 1
        self._padded = np.concatenate([np.zeros(self._lead, tokens.dtype), tokens])  # zeros before it, as `score` has
        self._places = _sorted(self._padded, len(tokens), order, vocab)
        self._kept: dict[tuple[int, ...], tuple[NDArray[Any], NDArray[np.int64]]] = {}

    def log_prob(self, context: Sequence[int]) -> NDArray[np.float64]:
        """Return the natural logarithms of the probabilities of all tokens behind `context`.

        Of more than K tokens the last K are looked at. Of fewer, the lower orders have the last word, as they do behind
        a context that was never counted.

        Shapes:
            context: any length; returned: [V].
        """
        probabilities = np.full(self.vocab, 1 / self.vocab)
        low, high = 0, len(self._places)
        behind: tuple[int, ...] = ()
        for order in range(min(self.order, len(context)) + 1):
            if order:
                token = int(context[-order])
                low, high = self._narrowed(low, high, order, token)
                behind = (token, *behind)
            if low == high:
                break
            names, times = self._counts(behind, low, high)
            once, twice, more = self._discounts[order]
            off = np.array([0.0, once, twice, more])[np.minimum(times, 3)]
            mass, rest = times.sum(), off.sum()
            probabilities *= rest / mass
            probabilities[names] += (times - off) / mass
        return np.log(probabilities)

    def _narrowed(self, low: int, high: int, order: int, token: int) -> tuple[int, int]:
        """Return the interval of the places in [low, high) that have `token` so many tokens before them."""
        places, padded, back = self._places, self._padded, self._lead - order

        def first(wanted: int) -> int:
            at, end = low, high
            while at < end:
                middle = (at + end) // 2
                if padded[places[middle] + back] < wanted:
                    at = middle + 1
                else:
                    end = middle
            return at

        start = first(token)
        return start, first(token + 1)

    def _counts(self, behind: tuple[int, ...], low: int, high: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the tokens that were counted behind a context, and how often.

        The highest order counts every one, lower orders the distinct tokens before the context and each together.
        """
        if (found := self._kept.get(behind)) is not None:
            return found
        order, places = len(behind), self._places[low:high]
        after = self._padded[places + self._lead].astype(np.int64)
        if order < self.order:
            before = self._padded[places + (self._lead - order - 1)].astype(np.int64)
            after = _distinct(before, after, self.vocab)
        if len(after) >= self.vocab:
            times = np.bincount(after, minlength=self.vocab)
            names = np.flatnonzero(times)
            found = names, times[names]
        else:
            found = np.unique(after, return_counts=True)
        if order <= 2 and len(self._kept) < _KEPT:
            self._kept[behind] = found
        return found


def _distinct(before: NDArray[np.int64], after: NDArray[np.int64], vocab: int) -> NDArray[np.int64]:
    """Return the second tokens of the distinct pairs."""
    pairs = before * vocab + after
    if vocab * vocab <= max(_DENSE, 8 * len(pairs)):
        there = np.zeros(vocab * vocab, bool)
        there[pairs] = True
        return np.flatnonzero(there) % vocab
    return np.unique(pairs) % vocab


def _sorted(padded: NDArray[Any], count: int, order: int, vocab: int) -> NDArray[Any]:
    """Return the places of `count` tokens in the order of the tokens before them, the nearest first."""
    bits = max(1, (vocab - 1).bit_length())
    words: list[NDArray[np.uint64]] = []
    step = max(1, 64 // bits)
    for first in range(1, order + 1, step):
        word = np.zeros(count, np.uint64)
        for back in range(first, min(first + step, order + 1)):
            start = order + 1 - back
            word = (word << np.uint64(bits)) | padded[start : start + count].astype(np.uint64)
        words.append(word)
    if not words:
        return np.arange(count)
    found = np.argsort(words[0], kind="stable") if len(words) == 1 else np.lexsort(words[::-1])
    return found.astype(np.uint32 if count < 1 << 32 else np.uint64)
