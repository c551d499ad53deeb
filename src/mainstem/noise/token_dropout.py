"""Token dropout: whole rows of embedded tokens."""

from __future__ import annotations

from dataclasses import dataclass

from .bernoulli import Bernoulli


@dataclass(frozen=True)
class TokenDropout(Bernoulli):
    """Drop the whole embedding of a token, each position by itself, and scale the others.

    Formula:
        x_t = m_t E[token_t] / (1 - rate), m_t ~ Bernoulli(1 - rate), one m for each sample and position

    Positions that are added stay, and so do n-grams beside the tokens: what is hidden altogether is `WordDropout`'s and
    `SpanMasking`'s matter.

    Source:
        Iyyer et al. 2015 (ACL, "Deep unordered composition rivals syntactic methods"), word dropout, which leaves
        tokens out of a mean.
        Read: code of the authors (miyyer/dan).
        Differs: what is kept is scaled, where theirs is averaged.

    Example:
        >>> TokenDropout(0.1).build().over
        'BT'
    """

    at: str = "embedding.tokens"
    over: str | None = "BT"
