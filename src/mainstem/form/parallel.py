"""Attention and feed-forward side by side. May import its neighbours here."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Form


@dataclass(frozen=True)
class Parallel(Form):
    """x + Attention(Norm x) + FeedForward(Norm' x): one read and one write a block, each with a norm of its own.

    GPT-J and PaLM share one norm; N counts both sublayers for initial weights.

    Source: Wang and Komatsuzaki, GPT-J (2021); Chowdhery et al. 2022 (2204.02311), section 2.
    """

    def groups(self, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
        return [kinds]
