"""LayerNorm scaling: deeper blocks read a smaller norm."""

from __future__ import annotations

from dataclasses import dataclass

from ..nn import Factor
from ..stream import Site
from .base import Form, Parts, reads_normed


@dataclass(frozen=True)
class LayerNormScaling(Form):
    """LayerNorm scaling: what a block reads is divided by the root of its depth, so that deep blocks write less.

    Formula:
        x' = x + F(Norm(x) / sqrt(l)) in block l, counted from 1, for both of its sublayers; at the end Norm x

    The norm's bias is divided as well. Nothing is learned. Weights start from one normal distribution: beside this
    scaling GPT-2's smaller output projections do harm (table 7 of the paper).

    Source:
        Sun et al. 2025 (2502.05795), equation 12.
        Read: paper.
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.LayerNormScaling().init()
        'normal'
    """

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(before=(*parts.before, Factor((site.block + 1) ** -0.5)))

    def init(self) -> str:
        return "normal"

    def beside(self, other: Form) -> str | None:
        if not reads_normed(other):
            return "LayerNorm scaling divides the norm in front of each sublayer, which the other one takes away"
        return None
