"""Canon: each position reads the positions just before it, by a residual across time.

Shapes: B batch, T position, D width, K positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Context
from ..stream import Site
from .base import Form, Parts


class Neighbours(nn.Module):
    """Adds to each position a learned sum of it and the ones before it, channel by channel, with a residual.

    Formula:
        y_t = x_t + sum_(k < K) w_k x_(t-k), each w_k [D] being 0 at the start; nothing before the start of a document

    Shapes:
        x, y [B, T, D]; w [K, D]

    Args:
        width: D.
        count: K.

    Example:
        >>> part = Neighbours(1, 2)
        >>> _ = part.weight.data.copy_(torch.tensor([[0.0], [0.5]]))
        >>> part(torch.tensor([[[2.0], [4.0], [8.0]]])).flatten().tolist()
        [2.0, 5.0, 10.0]
    """

    stem = "neighbours"
    wants_context = True

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(count, width))

    def roles(self) -> dict[str, str]:
        return {"weight": "scale"}

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor:
        ctx = Context() if ctx is None else ctx
        count, new = len(self.weight), x_BTD.shape[1]
        weight = self.weight.to(x_BTD.dtype)
        if ctx.cache is not None:
            x_BTD = ctx.cache.preceded(self, x_BTD, count - 1)
        y_BTD = x_BTD * (1 + weight[0])
        for k in range(1, min(count, x_BTD.shape[1])):
            earlier_BTD = x_BTD[:, :-k] * weight[k]
            if ctx.documents is not None:
                same_BT = ctx.documents[:, k:] == ctx.documents[:, :-k]
                earlier_BTD = earlier_BTD * same_BT[..., None]
            y_BTD = y_BTD + nn.functional.pad(earlier_BTD, (0, 0, k, 0))
        return y_BTD[:, -new:]


_MOST = 4096
"""Each position costs a pass over [B, T, D] and a row of weights: so many rows are a matrix of a wide model."""


@dataclass(frozen=True)
class Canon(Form):
    """Canon layers: in front of each sublayer, every position adds a learned sum of itself and the ones before it.

    Formula:
        x' = x + F(c(Norm x)), c(h)_t = h_t + sum_(k < K) w_k h_(t-k); at the end Norm x

    A residual along the sequence, where the others are along the depth: neighbouring tokens meet without attention. Of
    the paper's four places these are A and C, in front of attention and of the feed-forward. The weights begin at 0, so
    that it starts as pre-norm; theirs begin as those of a convolution do, uniform within
    1 / sqrt K, and their authors advise against smaller ones of 0.02. They are not decayed.

    Args:
        count: K, from 2 to 4096.

    Raises:
        BadInput: where `count` is out of its range.

    Source:
        Allen-Zhu 2025 (2512.17351); kernel of 4, residual and no activation as its authors' code has by default.
        Read: quoted: its definition and its places; code of the authors (facebookresearch/PhysicsLM4).
        Differs: w starts at 0, where theirs is uniform within 1 / sqrt K, so that a model begins as the pre-norm that
        it is compared with, and what it gains is learned; which start is better has not been measured here. The places
        B and D are left out.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "canon", "count": 3})
        Canon(count=3)
    """

    count: int = 4

    def __post_init__(self) -> None:
        if self.count < 2:
            raise BadInput(f"canon with count {self.count} reads no earlier position: give 2 or more, or use pre_norm.")
        if self.count > _MOST:
            raise BadInput(
                f"canon with count {self.count} passes over the sequence as often: give up to {_MOST}. "
                "Its authors take 4."
            )
        super().__post_init__()

    def branch(self, site: Site, parts: Parts) -> Parts:
        return parts._replace(before=(*parts.before, Neighbours(site.width, self.count)))

    def along_positions(self) -> bool:
        return True
