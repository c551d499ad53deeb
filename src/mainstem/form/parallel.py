"""Attention and feed-forward side by side."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Form


@dataclass(frozen=True)
class Parallel(Form):
    """Parallel sublayers: attention and feed-forward read the same stream, and their sum is written once a block.

    Formula:
        x' = x + Attention(Norm x) + FeedForward(Norm' x)

    GPT-J and PaLM share one norm between the two; here each has its own. For initial weights both sublayers count.

    Source:
        Wang and Komatsuzaki, GPT-J (2021); Chowdhery et al. 2022 (2204.02311), section 2.
        Read: code of GPT-J's authors (kingoflolz/mesh-transformer-jax).
        Differs: each sublayer has a norm of its own.

    Example:
        >>> from mainstem import form
        >>> form.Parallel().groups(("attention", "feedforward"))
        [('attention', 'feedforward')]
    """

    def groups(self, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
        return [kinds]
