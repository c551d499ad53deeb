"""Keel: post-norm with a larger stream and a norm in front of each sublayer as well."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import BadInput
from ..stream import Add, Connection, Site
from .base import Form
from .post_norm import NormAfter


@dataclass(frozen=True)
class Keel(Form):
    """Keel: post-norm whose stream counts as often as there are sublayers, with pre-norm's norms in the branches.

    Formula:
        x' = Norm(alpha x + F(Norm x)), alpha = N, the number of sublayers, from the second block on
        x' = x + F(Norm x) in the first block; behind the last sublayer, Norm x

    The Jacobian of a sublayer is near the identity where post-norm's shrinks every gradient that goes past it, so that
    deep stacks need no special initial weights. Those of post-norm are used here. With a larger factor each sublayer
    moves the stream less.

    Args:
        alpha: the factor on the stream, at least 1. None: N, as in the paper, whose footnote allows a smaller one above
            1 where models are small.

    Raises:
        BadInput: where `alpha` is below 1 or not finite.

    Source:
        Chen and Wei 2026 (2601.19895), equation 8, section 3.1, and footnote 2 for a smaller factor; N is the paper's
        L, attention and feed-forward counted each.
        Read: paper, section 3.
        Differs: initial weights, where the paper needs none in particular, are post-norm's; the norm at the end, of
        which its text says nothing, is that of public code.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "keel", "alpha": 2.0})
        Keel(alpha=2.0)
    """

    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.alpha is not None and not 1 <= self.alpha < math.inf:
            raise BadInput(f"keel needs an alpha of at least 1, or none for the number of sublayers, not {self.alpha}.")
        super().__post_init__()

    def connection(self, site: Site) -> Connection:
        alpha = float(site.writes) if self.alpha is None else self.alpha
        return NormAfter(site.norm.build(site.width), alpha) if site.block else Add()

    def init(self) -> str:
        return "xavier"
