"""Counts of what follows each context as a model of text: `KneserNey`.

Shapes: N tokens that are counted, M tokens that are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from . import cpu, reference
from .scored import Scored, check_order, highest
from .work import Work

Tokens = NDArray[Any] | Sequence[int]


@dataclass(frozen=True)
class KneserNey:
    """Interpolated modified Kneser-Ney of the order `order`: the next token by counts of what followed its context.

    ``p_k(y|c) = (max(c_k(y) - D_k, 0) + rest_k(c) p_(k-1)(y|c')) / m_k(c)``, p_(-1) uniform; `counts.reference` has all
    of it. The order is the number of tokens before the next one that are looked at. Without one, the best is chosen on
    the last tenth of what is counted.

    Raises:
        BadInput: for an order that the vocabulary leaves no room for in 128 bits.

    Source:
        Chen and Goodman 1998, An Empirical Study of Smoothing Techniques, section 3.

    Example:
        >>> model = KneserNey(2).fit([0, 1, 2, 0, 1, 2, 0, 1], vocab=3)
        >>> model.log_prob([2]).round(2)
        array([-0.19])
    """

    order: int | None = None

    def fit(self, tokens: Tokens, vocab: int | None = None) -> Fitted:
        """Return the model that has counted `tokens` [N] of a vocabulary of `vocab`, by default up to the largest."""
        counted = _array(tokens)
        size = vocab if vocab is not None else int(counted.max(initial=0)) + 1
        if self.order is not None:
            check_order(self.order, size)
        return Fitted(counted, size, self.order)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `KneserNey.fit` returns. Counting is part of each call, where both texts are sorted together."""

    tokens: NDArray[Any]
    vocab: int
    order: int | None

    def log_prob(self, tokens: Tokens, adaptive: bool = False) -> NDArray[np.float64]:
        """Return the natural logarithm of each token's probability [M], where `tokens` go on from those counted.

        With `adaptive`, each token is scored first and then counted.
        """
        scored = self.score(tokens, adaptive)
        found = scored.adaptive if adaptive else scored.frozen
        assert found is not None
        return found

    def score(self, tokens: Tokens, adaptive: bool = True, work: Work | None = None, impl: str = "auto") -> Scored:
        """Return both kinds of `log_prob` at once, the order, and what the orders came to where it was chosen.

        `work` is told of progress and may ask for an end, which raises `Stopped`; `impl` is "cpu", "reference" or
        "auto". Raises `BadInput` for a token outside the vocabulary.
        """
        both = np.concatenate([self.tokens, _array(tokens)])
        return score(both, len(self.tokens), self.vocab, self.order, adaptive, work, impl)


def score(
    tokens: NDArray[Any],
    counted: int,
    vocab: int,
    order: int | None = None,
    adaptive: bool = True,
    work: Work | None = None,
    impl: str = "auto",
) -> Scored:
    """Return the log-probabilities of tokens [counted, N) of an unsigned array, by counts of those before `counted`.

    Raises `BadInput` for a token outside the vocabulary, and for an order that this leaves no room for.
    """
    if order is not None:
        check_order(order, vocab)
    if len(tokens) and int(tokens.max()) >= vocab:
        raise BadInput(f"Token {int(tokens.max())} is none of a vocabulary of {vocab}: give a larger vocabulary.")
    top = highest(vocab) if order is None else order
    chosen_on = counted * 9 // 10 if order is None else counted
    made = reference.score if impl == "reference" or (impl == "auto" and not cpu.there()) else cpu.score
    return made(tokens, counted, vocab, top, chosen_on, adaptive, work if work is not None else Work())


def _array(tokens: Tokens) -> NDArray[Any]:
    """Return `tokens` as the smallest unsigned integers that hold them."""
    found = np.asarray(tokens)
    if found.size == 0:
        return np.zeros(0, np.uint8)
    if found.ndim != 1 or found.dtype.kind not in "iu" or int(found.min()) < 0 or int(found.max()) >= 1 << 32:
        raise BadInput(
            f"An array of {found.dtype} with the shape {found.shape} is no text: give token ids from 0 on, in a row."
        )
    largest = int(found.max())
    return found.astype(np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.uint32)
