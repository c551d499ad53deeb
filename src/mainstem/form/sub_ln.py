"""Sub-LN: a second norm inside each sublayer, in front of its last matrix.

Shapes: D width, F hidden width, H heads, K head width, L blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..nn import AttentionSpec, FeedForwardSpec, HeadsNormSpec, NormPartSpec
from ..stream import Site
from .base import Form, Parts
from .deepnorm import SCALED


@dataclass(frozen=True)
class SubLN(Form):
    """Sub-LN, the norms of Magneto: a norm in front of each sublayer, and another in front of its output projection.

    Formula:
        x' = x + W2 Norm(phi(W1 Norm x)) for the feed-forward sublayer
        x' = x + Wo Norm(heads of attention(Norm x)), the norm over all heads together; at the end Norm x

        Value, output and feed-forward matrices start at Xavier's normal distribution with gain sqrt(ln 2 L), L blocks,
        queries and keys with gain 1.

    The inner norms have widths H K and F. Dropout of hidden units and of heads stands behind them, where the authors'
    code has it in front.

    Source:
        Wang et al. 2022 (2210.06423), with `subln` of the authors' torchscale.
        Read: code of the authors.
        Differs: Xavier's normal distribution in place of the uniform one; where dropout stands inside.

    Example:
        >>> from mainstem.form import sub_ln
        >>> round(sub_ln.gain(12), 6)
        1.78271
    """

    def branch(self, site: Site, parts: Parts) -> Parts:
        spec = parts.sublayer
        if isinstance(spec, AttentionSpec):
            return parts._replace(sublayer=spec.having("heads", HeadsNormSpec(site.norm)))
        if isinstance(spec, FeedForwardSpec):
            return parts._replace(sublayer=spec.having("hidden", NormPartSpec(site.norm, spec.hidden)))
        return parts

    def init(self) -> str:
        return "xavier"

    def init_scale(self, site: Site, role: str) -> float:
        return gain(site.blocks) if role in SCALED else 1.0


def gain(blocks: int) -> float:
    """Return the gain of the initial branches in a stack of L blocks, sqrt(ln 2 L).

    Example:
        >>> round(gain(1), 6)
        0.832555
    """
    return math.sqrt(math.log(2 * blocks))
