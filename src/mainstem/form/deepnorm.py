"""DeepNorm: Norm(alpha x + F(x)), with smaller initial branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..stream import Connection, Single, Site, Stream
from .base import Form, Parts, unnormed
from .post_norm import NormAfter

SCALED = frozenset({"attention.value", "attention.out", "feedforward.in", "feedforward.gate", "feedforward.out"})


def constants(blocks: int) -> tuple[float, float]:
    """Return (alpha, beta) of a stack of L blocks: (2 L)^(1/4) and (8 L)^(-1/4).

    Example:
        >>> [round(value, 6) for value in constants(12)]
        [2.213364, 0.319472]
    """
    return (2 * blocks) ** 0.25, (8 * blocks) ** -0.25


@dataclass(frozen=True)
class DeepNorm(Form):
    """DeepNorm: post-norm with a larger stream and smaller initial branches, made for very deep stacks.

    Formula:
        x' = Norm(alpha x + F(x)), alpha = (2 L)^(1/4), L blocks

        Value, output and feed-forward matrices start at Xavier's normal distribution with gain beta = (8 L)^(-1/4),
        queries and keys with gain 1.

    The authors' code draws from Xavier's uniform distribution; here it is the normal one, as elsewhere in this library.

    Source:
        Wang et al. 2022 (2203.00555), figure 2.
        Read: code of the authors (microsoft/torchscale).
        Differs: Xavier's normal distribution in place of the uniform one.

    Example:
        >>> from mainstem.form import deepnorm
        >>> [round(value, 4) for value in deepnorm.constants(12)]  # alpha and beta
        [2.2134, 0.3195]
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Single()

    def connection(self, site: Site) -> Connection:
        return NormAfter(site.norm.build(site.width), constants(site.blocks)[0])

    def branch(self, site: Site, parts: Parts) -> Parts:
        return unnormed(parts)

    def init(self) -> str:
        return "xavier"

    def init_scale(self, site: Site, role: str) -> float:
        return constants(site.blocks)[1] if role in SCALED else 1.0

    def refuses(self, init: str) -> str | None:
        if init == "xavier":
            return None
        return f"deepnorm is defined by its initial weights, which init {init!r} would undo: use auto or xavier"
