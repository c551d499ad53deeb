"""Value residuals: every block's attention also sees the first block's values."""

from __future__ import annotations

from dataclasses import dataclass

from ..nn import AttentionSpec, PublishSpec, ValueMixSpec
from ..stream import Site
from .base import Form, Parts


@dataclass(frozen=True)
class ValueResidual(Form):
    """Value residuals: the attention of every later block also sees the values of the first.

    Formula:
        V_l <- m1 V_1 + m2 V_l for blocks l >= 2, before attention

    V_1 are the first block's projected values, which travel beside the stream. m1 and m2 are learned, one pair a block.
    The authors' code holds them at 0.5; here they start there.

    Args:
        first: m1 at the start.
        own: m2 at the start.

    Source:
        Zhou et al. 2024 (2410.17897), equation 5.
        Read: abstract; code of the authors (Zcchill/Value-Residual-Learning).
        Differs: m1 and m2 are learned.

    Example:
        >>> from mainstem import form
        >>> form.ValueResidual(first=0.25)
        ValueResidual(first=0.25, own=0.5)
    """

    first: float = 0.5
    own: float = 0.5

    def branch(self, site: Site, parts: Parts) -> Parts:
        spec = parts.sublayer
        if not isinstance(spec, AttentionSpec):
            return parts
        if site.block == 0:
            return parts._replace(sublayer=spec.having("value", PublishSpec()))
        return parts._replace(sublayer=spec.having("value", ValueMixSpec(self.first, self.own)))
