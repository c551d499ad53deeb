"""ReZero: x + a F(x), a = 0 at the start, no norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..nn import Scale
from ..stream import Single, Site, Stream
from .base import Form, Parts, unnormed


@dataclass(frozen=True)
class ReZero(Form):
    """ReZero: one learned factor for each sublayer, 0 at the start, and no norm: the network begins as the identity.

    Formula:
        x' = x + a F(x); dropout stands behind the scale

    The first step moves a alone. The authors' code shares one a between both sublayers of a block; here each sublayer
    has its own, as equation 5 has it.

    Args:
        start: a at the start.

    Source:
        Bachlechner et al. 2020 (2003.04887), equation 5. SkipInit of De and Smith 2020 (2002.10444) is the same factor,
        made for convolutions, with a start of 0 or of at most 1 / sqrt L for L residual blocks.
        Read: code of the authors (majumderb/rezero); SkipInit as quoted by Sun et al. 2025.
        Differs: one a for each sublayer, where the code has one for a block.

    Example:
        >>> from mainstem import form
        >>> form.ReZero().init()
        'xavier'
    """

    start: float = 0.0

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Single()

    def branch(self, site: Site, parts: Parts) -> Parts:
        return unnormed(parts)._replace(behind=(*parts.behind, Scale(self.start)))

    def init(self) -> str:
        return "xavier"

    def refuses(self, init: str) -> str | None:
        if init == "zero" and self.start == 0:
            return (
                "zero-initialised projections behind rezero's zero scale have no gradient, ever: "
                "use model.init xavier with the rezero form, or a start other than 0"
            )
        return None
