"""HybridNorm: norms of queries, keys and values, and post-norm around the feed-forward.

Shapes: B batch, T position, D width, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ..nn import AttentionSpec, NormPartSpec
from ..stream import Add, Connection, Site, State
from .base import Form, Parts, unnormed


class NormThenAdd(Connection):
    """Normalises the stream, then adds: both the branch and the stream see the norm.

    Formula:
        x' = Norm(x) + F(Norm(x))

    Shapes:
        the state and x [B, T, D]

    Args:
        norm: the module that normalises the stream.
    """

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def read(self, state: State) -> tuple[Tensor, Tensor]:
        x_BTD = self.norm(state.main)
        return x_BTD, x_BTD

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(carry + y_BTD, state.side)


@dataclass(frozen=True)
class HybridNorm(Form):
    """HybridNorm: attention normalises its queries, keys and values, and the feed-forward stands on a norm.

    Formula:
        y = x + Attention(x), with Norm q, Norm k and Norm v for each head
        x' = Norm(y) + FeedForward(Norm(y)); behind the last block, Norm x

    Queries and keys have the norm of `model.qk_norm`, or that of the stream where it says none. So attention does not
    depend on the size of its input, though no norm stands in front of it. The paper's HybridNorm*, whose first block is
    a pre-norm one, is not offered.

    Shapes:
        q, k, v [B, H, T, K], normalised over K

    Source:
        Zhuo et al. 2025 (2503.04598); that the norm stands in front of the feed-forward, with the residual
        behind it, is the authors' code (`ffn_residual_after_norm`).
        Read: code of the authors.
        Differs: no first block of its own, as HybridNorm* has.

    Example:
        >>> from mainstem import form
        >>> form.parse("hybrid_norm")
        HybridNorm()
    """

    def connection(self, site: Site) -> Connection:
        return Add() if site.kind == "attention" else NormThenAdd(site.norm.build(site.width))

    def branch(self, site: Site, parts: Parts) -> Parts:
        spec = parts.sublayer
        if isinstance(spec, AttentionSpec):
            width = spec.head_width or spec.width // spec.heads
            spec = replace(spec, qk_norm=spec.qk_norm or site.norm).having("value", NormPartSpec(site.norm, width))
        return unnormed(parts)._replace(sublayer=spec)
