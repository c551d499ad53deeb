"""CompleteP: factors by depth and width, so that one learning rate fits all sizes.

Shapes: B batch, T position, D width, L blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Factor
from ..stream import Single, Site, State, Stream
from .base import Form, Multipliers, Parts

MATRICES = ("attention", "feedforward", "linear")
"""Heads of the roles of matrices inside blocks."""


class ScaledOutput(Single):
    """The ordinary stream, of which the head reads a multiple.

    Args:
        norm: the norm behind the last sublayer, or None.
        factor: what its output is multiplied by.
    """

    def __init__(self, norm: nn.Module | None, factor: float) -> None:
        super().__init__(norm)
        self.factor = factor

    def close(self, state: State) -> Tensor:
        return self.factor * super().close(state)

    def extra_repr(self) -> str:
        return f"factor={self.factor:g}"


_MOST = 1 << 24
"""As many layers or columns as a run may have."""


@dataclass(frozen=True)
class CompleteP(Form):
    """CompleteP and depth-muP: what is tuned at one depth and width holds at others.

    Formula:
        x' = x + m_L^-alpha F(Norm x), m_L = L / base_layers; the head reads Norm(x) / m_D, m_D = D / base_width

        | parameters          | initial sd  | learning rate         | decay | eps of Adam       |
        | embedding, head     | 1           | 1                     | 1     | m_L^-alpha / m_D  |
        | matrices in blocks  | m_D^-1/2    | m_L^(alpha - 1) / m_D | m_D   | m_L^-alpha / m_D  |
        | others in blocks    | -           | m_L^(alpha - 1)       | 0     | m_L^-alpha / m_D  |
        | norm at the end     | -           | 1                     | 0     | m_L^-alpha / m_D  |

    Each entry is a factor on what pre-norm has at the base; initial weights are N(0, 0.02) there, without GPT-2's
    division by sqrt N. alpha = 1 is CompleteP, 1/2 depth-muP. It is derived for AdamW; Muon's learning rate follows
    other laws. The factor on attention's scale, 1 / K in place of 1 / sqrt K, is left out: widths that differ by their
    number of heads have one K, and queries and keys are normalised. The base belongs to what was tuned, so it is stored
    with the model.

    Args:
        base_layers: L at which rates were tuned, up to 2^24, as a model's own.
        base_width: D there, too.
        alpha: from 1/2 to 1.

    Raises:
        BadInput: where one of them is out of its range.

    Source:
        Dey et al. 2025 (2505.01618), table 1; the branch `completep` of EleutherAI/nanoGPT-mup.
        Read: code of that branch; the abstract.
        Differs: attention keeps its factor 1 / sqrt K.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "complete_p", "base_layers": 4, "base_width": 128})
        CompleteP(base_layers=4, base_width=128, alpha=1.0)
    """

    base_layers: int = 2
    base_width: int = 256
    alpha: float = 1.0

    def __post_init__(self) -> None:
        for name, size in (("base_layers", self.base_layers), ("base_width", self.base_width)):
            if not 1 <= size <= _MOST:
                raise BadInput(f"complete_p has {name} {size}: give that where rates were tuned, from 1 to {_MOST}.")
        if not 0.5 <= self.alpha <= 1:
            raise BadInput(f"complete_p needs an alpha from 0.5 (depth-muP) to 1 (CompleteP), not {self.alpha}.")
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return ScaledOutput(sites[0].norm.build(sites[0].width), self.base_width / sites[0].width)

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(behind=(*parts.behind, Factor(self._depth(site) ** -self.alpha)))

    def init(self) -> str:
        return "normal"

    def init_scale(self, site: Site, role: str) -> float:
        return 1.0 if role == "head" else math.sqrt(self.base_width / site.width)

    def multipliers(self, role: str, site: Site, hidden: bool) -> Multipliers:
        wide = site.width / self.base_width
        eps = self._depth(site) ** -self.alpha / wide
        if not hidden:
            return Multipliers(eps=eps)
        deep = self._depth(site) ** (self.alpha - 1)
        if role.split(".")[0] in MATRICES:
            return Multipliers(lr=deep / wide, decay=wide, eps=eps)
        return Multipliers(lr=deep, eps=eps)

    def _depth(self, site: Site) -> float:
        return site.blocks / self.base_layers
