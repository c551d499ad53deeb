"""Mix-LN: the first blocks are post-norm, the others pre-norm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import BadInput
from ..stream import Connection, Site
from .base import Form, Parts
from .post_norm import PostNorm


@dataclass(frozen=True)
class MixLN(Form):
    """Mix-LN: post-norm in the first blocks, where gradients are large, and pre-norm in the others.

    Formula:
        x' = Norm(x + F(x)) in the first floor(share L) of L blocks, x' = x + F(Norm x) behind them; at the end Norm x

    With a share of 0 it is pre-norm, with 1 post-norm with a norm at the end. The paper trains up to 250 million
    parameters; others saw it diverge at 350 million (Sun et al. 2025, 2502.05795, table 1).

    Args:
        share: of the blocks, from 0 to 1.

    Raises:
        BadInput: where `share` is none.

    Source:
        Li et al. 2024 (2412.13795), whose code counts blocks; a quarter of them is its choice.
        Read: code of the authors (pixeli99/MixLN).
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "mix_ln", "share": 0.5})
        MixLN(share=0.5)
    """

    share: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise BadInput(
                f"mix_ln needs a share of the blocks from 0 to 1, not {self.share}: 0.25 is the paper's choice."
            )
        super().__post_init__()

    def connection(self, site: Site) -> Connection:
        return self._of(site).connection(site)

    def branch(self, site: Site, parts: Parts) -> Parts:
        return self._of(site).branch(site, parts)

    def init(self) -> str:
        return "normal"

    def _of(self, site: Site) -> Form:
        return PostNorm() if site.block < math.floor(self.share * site.blocks) else Form()
