"""Keel: post-norm with a larger stream and a norm in front of each sublayer as well. May import its neighbours here."""

from __future__ import annotations

from dataclasses import dataclass

from ..stream import Add, Connection, Site
from .base import Form
from .post_norm import NormAfter


@dataclass(frozen=True)
class Keel(Form):
    """Keel: post-norm whose stream counts as often as there are sublayers, with pre-norm's norms in the branches.

    Formula:
        x' = Norm(N x + F(Norm x)), N sublayers, from the second block on
        x' = x + F(Norm x) in the first block; behind the last sublayer, Norm x

    The Jacobian of a sublayer is near the identity where post-norm's shrinks every gradient that goes past it, so that
    deep stacks need no special initial weights. Those of post-norm are used here.

    Source:
        Chen and Wei 2026 (2601.19895), equation 8 and section 3.1; N is the paper's L, attention and feed-forward
        counted each, and its footnote 2 allows a smaller factor above 1 where models are small.
        Read: paper, section 3.
        Differs: initial weights, where the paper needs none in particular, are post-norm's; the norm at the end, of
        which its text says nothing, is that of public code.

    Example:
        >>> from mainstem import form
        >>> form.parse("keel").init()
        'xavier'
    """

    def connection(self, site: Site) -> Connection:
        return NormAfter(site.norm.build(site.width), float(site.writes)) if site.block else Add()

    def init(self) -> str:
        return "xavier"
