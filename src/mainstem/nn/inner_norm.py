"""Norms inside a sublayer, at its named points.

Shapes: B batch, T position, H heads, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .attention import AttentionSpec
from .norm import LayerNorm, NormSpec, RMSNorm


@dataclass(frozen=True)
class NormPartSpec:
    """A norm to be of what flows at a point, over its last axis of the given width."""

    norm: NormSpec
    width: int

    def build(self, spec: object = None) -> LayerNorm | RMSNorm:
        return self.norm.build(self.width)


@dataclass(frozen=True)
class HeadsNormSpec:
    """A `HeadsNorm` to be, at attention's point "heads"."""

    norm: NormSpec

    def build(self, spec: object = None) -> HeadsNorm:
        assert isinstance(spec, AttentionSpec)
        return HeadsNorm(self.norm.build(spec.heads * (spec.head_width or spec.width // spec.heads)))


class HeadsNorm(nn.Module):
    """Normalise all heads of a position together: [B, H, T, K] -> [B, H, T, K].

    Args:
        norm: a norm of width H K.

    Example:
        >>> import torch
        >>> HeadsNorm(RMSNorm(6))(torch.full((1, 2, 1, 3), 5.0)).round(decimals=4).unique().tolist()
        [1.0]
    """

    stem = "norm"

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x_BHTK: Tensor) -> Tensor:
        heads = x_BHTK.shape[1]
        normed: Tensor = self.norm(x_BHTK.transpose(1, 2).flatten(2))
        return normed.unflatten(2, (heads, -1)).transpose(1, 2)
