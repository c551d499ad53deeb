"""LayerScale: x + g * F(norm x), g small at first.

Shapes: D width.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..nn import Scale
from ..stream import Site
from .base import Form, Parts
from .rezero import ReZero


def start_of(blocks: int) -> float:
    """Return what every element of g starts at in a stack of L blocks: 0.1 up to 18, 1e-5 up to 24, then 1e-6.

    Example:
        >>> [start_of(blocks) for blocks in (12, 18, 24, 36)]
        [0.1, 0.1, 1e-05, 1e-06]
    """
    if blocks <= 18:
        return 0.1
    return 1e-5 if blocks <= 24 else 1e-6


@dataclass(frozen=True)
class LayerScale(Form):
    """LayerScale: a learned factor for each channel of what a sublayer writes, small at first.

    Formula:
        x' = x + diag(g) F(Norm x), g in R^D for each sublayer; dropout stands behind the scale

    g is not decayed.

    Args:
        start: what every element of g starts at. None: by depth, as in the paper: 0.1 up to 18 blocks, 1e-5 up to 24,
            1e-6 in deeper stacks.

    Source:
        Touvron et al. 2021 (2103.17239), equation 4, and section 2 for the start.
        Read: quoted in full from section 2, with equation 4; code of one of the authors in timm.
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.layer_scale.start_of(24)
        1e-05
    """

    start: float | None = None

    def branch(self, site: Site, parts: Parts) -> Parts:
        start = start_of(site.blocks) if self.start is None else self.start
        return parts._replace(behind=(*parts.behind, Scale(start, site.width)))

    def refuses(self, init: str) -> str | None:
        if init == "zero" and self.start == 0:
            return (
                "zero-initialised projections behind layer_scale's zero scale have no gradient, ever: "
                "use model.init gpt2, or a start other than 0"
            )
        return None

    def beside(self, other: Form) -> str | None:
        if isinstance(other, ReZero):
            return "both put a learned factor behind the sublayer, and LayerScale's can take every value of ReZero's"
        return None
