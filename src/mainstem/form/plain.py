"""No residual at all: x' = F(norm x)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..stream import Replace, Single, Site, Stream
from .base import Form, Parts, unnormed


@dataclass(frozen=True)
class Plain(Form):
    """No residual: each sublayer's output takes the place of its input. The control that every form is compared with.

    Formula:
        x' = F(Norm x), or F(x) without norms

    Args:
        norm: False takes all norms of the stream away, the last one too, and begins with Xavier's weights, whose
            products keep their size. Queries and keys keep theirs.

    A sublayer that stochastic depth leaves out gives zeros, from which nothing comes back: use no stochastic depth.

    Source:
        The plain networks of He et al. 2016 (1512.03385), section 3.3.
        Read: nothing of the original.
        Differs: sublayers of a Transformer in place of convolutions.

    Example:
        >>> from mainstem import form
        >>> form.Plain(norm=False).init()
        'xavier'
    """

    norm: bool = True

    def stream(self, sites: Sequence[Site]) -> Stream:
        return super().stream(sites) if self.norm else Single()

    def connection(self, site: Site) -> Replace:
        return Replace()

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts if self.norm else unnormed(parts)

    def init(self) -> str:
        return "xavier"

    def refuses(self, init: str) -> str | None:
        if init == "zero":
            return "projections that start at zero give a stream of zeros without a residual: use model.init xavier"
        return None
