"""Interpolated modified Kneser-Ney by sorting and sums in NumPy: what the kernel is compared with.

Shapes: N tokens, K the highest order. Position 0 of arrays [N + 1] stands before the first token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .scored import Scored
from .work import Work

Numbers = NDArray[np.int64]


class _Layer(NamedTuple):
    """Of one order, before each token: the count of the token behind its context, the sum of these over tokens, and how
    many tokens have a count of 1, of 2, of 3 and more; then what is taken off such counts."""

    times: Numbers
    mass: Numbers
    ones: Numbers
    twos: Numbers
    more: Numbers
    discounts: NDArray[np.float64]

    def over(self, lower: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of this order from those of the one below."""
        once, twice, more = self.discounts
        off = np.array([0.0, once, twice, more])[np.minimum(self.times, 3)]
        rest = once * self.ones + twice * self.twos + more * self.more
        return np.where(self.mass > 0, ((self.times - off) + rest * lower) / np.maximum(self.mass, 1), lower)


class _Strings:
    """The strings of 0 to K + 2 tokens that end at each position, as numbers that are equal where the strings are."""

    def __init__(self, tokens: NDArray[Any], vocab: int, order: int, work: Work) -> None:
        n = len(tokens)
        padded = np.concatenate([np.zeros(order + 2, np.int64), tokens.astype(np.int64)])
        self.ids = [np.zeros(n + 1, np.int64)]
        for length in range(1, order + 3):
            work.tell(0.5 * length / (order + 3))
            oldest = padded[order + 2 - length :][: n + 1]
            self.ids.append(np.unique(self.ids[-1] * vocab + oldest, return_inverse=True)[1].astype(np.int64))

    def layer(self, order: int, highest: bool, counts: NDArray[np.bool_], settled: NDArray[np.bool_]) -> _Layer:
        """Return order `order`, counted where `counts`, with the discounts of what is counted where `settled`.

        The highest order counts every token; one below counts a string where a token stands before it for the first
        time.
        """
        gram, context = self.ids[order + 1][1:], self.ids[order][:-1]
        events = counts if highest else counts & _first(self.ids[order + 2][1:])
        one = events.astype(np.int64)
        times = _before(gram, one)
        never, once, twice = ((times == number).astype(np.int64) for number in range(3))
        mass, ones, twos, more = (
            _before(context, change) for change in (one, one * (never - once), one * (once - twice), one * twice)
        )
        return _Layer(times, mass, ones, twos, more, _discounts(gram[events & settled]))


def score(
    tokens: NDArray[Any], counted: int, vocab: int, order: int, chosen_on: int, adaptive: bool, work: Work
) -> Scored:
    """Return the log-probabilities of tokens [counted, N) by counts of [0, counted), and by counts of all before each.

    ``p_k(y|c) = (max(c_k(y) - D_k, 0) + (D_k1 N_1 + D_k2 N_2 + D_k3 N_3) p_(k-1)(y|c')) / m_k``, ``p_(-1) = 1 / V``:
    c_k counts tokens behind a context c of k tokens at the highest order, and distinct tokens before the string c y at
    lower ones; m_k is its sum over y, N_j the number of y with a count of 1, of 2, of 3 and more. A context behind
    which nothing was counted passes the lower order through. ``Y = n_1 / (n_1 + 2 n_2)`` and ``D_kj = j - (j + 1) Y
    n_(j+1) / n_j``, with n_j strings that have a count of j; 0.5, 1 and 1.5 where an n_j is 0 or a discount would be
    outside (0, j]. What stands before the text counts as tokens 0.

    The order is the best of 0 to `order` on [chosen_on, counted), by counts of [0, chosen_on); `order` itself where
    there is none to choose on. Raises `work.Stopped`.

    Source:
        Chen and Goodman 1998, An Empirical Study of Smoothing Techniques, section 3.
    """
    n = len(tokens)
    strings = _Strings(tokens, vocab, order, work)
    place = np.arange(n)
    by_order = np.full(order + 1, np.nan)
    if chosen_on < counted:
        asked = slice(chosen_on, counted)
        found = _orders(strings, place < chosen_on, vocab, order, work)
        by_order = np.array([-np.log(p[asked]).mean() for p in found])
        order_taken = int(by_order.argmin())
    else:
        order_taken = order
    discounts = np.zeros((order + 1, 3))
    logs = []
    for counts in (place < counted, np.ones(n, bool)) if adaptive else (place < counted,):
        probabilities = np.full(n, 1 / vocab)
        for k in range(order_taken + 1):
            work.tell(0.8)
            layer = strings.layer(k, k == order_taken, counts, place < counted)
            probabilities, discounts[k] = layer.over(probabilities), layer.discounts
        logs.append(np.log(probabilities[counted:]))
    work.tell(1.0)
    return Scored(order_taken, logs[0], logs[1] if adaptive else None, by_order, discounts)


def _orders(
    strings: _Strings, counts: NDArray[np.bool_], vocab: int, order: int, work: Work
) -> Iterator[NDArray[np.float64]]:
    """Yield the probabilities of each order from 0 on, were it the highest one."""
    lower = np.full(len(counts), 1 / vocab)
    for k in range(order + 1):
        work.tell(0.5 + 0.3 * k / (order + 1))
        yield strings.layer(k, True, counts, counts).over(lower)
        lower = strings.layer(k, False, counts, counts).over(lower)


def _first(ids: Numbers) -> NDArray[np.bool_]:
    """Return where a number stands for the first time."""
    found = np.zeros(len(ids), bool)
    found[np.unique(ids, return_index=True)[1]] = True
    return found


def _before(groups: Numbers, changes: Numbers) -> Numbers:
    """Return, at each position, the sum of the changes at earlier positions of the same group."""
    order = np.argsort(groups, kind="stable")
    sums = np.cumsum(changes[order]) - changes[order]
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    found = np.empty(len(groups), np.int64)
    found[order] = sums - np.repeat(sums[starts], np.diff(starts, append=len(groups)))
    return found


def _discounts(strings: Numbers) -> NDArray[np.float64]:
    """Return the discounts of an order of which `strings` has each string as often as it is counted."""
    counts = np.unique(strings, return_counts=True)[1]
    n = np.bincount(counts[counts <= 4], minlength=5)[1:].astype(np.float64)
    if n.all():
        share = n[0] / (n[0] + 2 * n[1])
        found = np.array([j - (j + 1) * share * n[j] / n[j - 1] for j in (1, 2, 3)])
        if ((found > 0) & (found <= [1, 2, 3])).all():
            return found
    return np.array([0.5, 1.0, 1.5])
