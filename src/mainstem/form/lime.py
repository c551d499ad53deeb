"""LIMe: attention also looks at the keys and values of all earlier blocks.

Shapes: B batch, H key-value heads, T position, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..nn import AttentionSpec, Context, PublishSpec
from ..stream import Site
from .base import Form, Parts
from .value_residual import ValueResidual


@dataclass(frozen=True)
class RouterSpec:
    """A `Router` to be, for what is called `name` in block number `block`."""

    publishes: ClassVar[bool] = True

    name: str
    block: int

    def build(self, spec: object = None) -> Router:
        assert isinstance(spec, AttentionSpec)
        return Router(self.name, self.block, spec.kv_heads or spec.heads)


class Router(nn.Module):
    """Mix keys or values of all heads of this block and of all before it, and send this block's own along the stream.

    Formula:
        y_h = sum_j sum_g R[h, j, g] x_j,g over blocks j up to this one and heads g; at the start y = x

    Shapes:
        x, y [B, H, T, K]; R [H, (block + 1) H]

    Args:
        name: under which keys or values travel, with the number of their block.
        block: the number of this one, from 0.
        heads: H.
    """

    stem = "router"
    wants_context = True

    def __init__(self, name: str, block: int, heads: int) -> None:
        super().__init__()
        self.name, self.block = name, block
        self.weight = nn.Parameter(torch.cat([torch.zeros(heads, block * heads), torch.eye(heads)], dim=1))

    def roles(self) -> dict[str, str]:
        return {"weight": "mix"}

    def forward(self, x_BHTK: Tensor, ctx: Context | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        side = (Context() if ctx is None else ctx).side
        seen = torch.cat([*(side[f"{self.name}_{block}"] for block in range(self.block)), x_BHTK], dim=1)
        y_BHTK = torch.einsum("hg,bgtk->bhtk", self.weight.to(x_BHTK.dtype), seen)
        return y_BHTK, {f"{self.name}_{self.block}": x_BHTK}

    def extra_repr(self) -> str:
        return f"{self.name}, block={self.block}"


@dataclass(frozen=True)
class LIMe(Form):
    """LIMe: keys and values of attention are mixed, head by head, from those of all blocks so far.

    Formula:
        k_h <- sum_j sum_g R[h, j, g] k_j,g over blocks j up to this one and heads g; v in the same way

    R is learned, one matrix for keys and one for values of each block from the second on, and not decayed. At the start
    each head has its own keys and values alone, so that it begins as pre-norm. Keys are mixed behind their norm and
    their rotation by position; that they are rotated first makes no difference. Every block's keys and values travel
    along: two arrays of the stream's size a block, fewer with grouped heads.

    The authors' code has one matrix for both and draws the weights of earlier blocks at random.

    Source:
        Gerasimov et al. 2025 (2502.09245), and `StaticRouter` of their code, corl-team/lime.
        Read: abstract; code of the authors.
        Differs: keys and values have a matrix each; weights of earlier blocks start at 0.

    Example:
        >>> from mainstem import form
        >>> form.parse("lime")
        LIMe()
    """

    def branch(self, site: Site, parts: Parts) -> Parts:
        spec = parts.sublayer
        if not isinstance(spec, AttentionSpec):
            return parts
        for point in ("key", "value"):
            first = PublishSpec(f"{point}_0")
            spec = spec.having(point, RouterSpec(point, site.block) if site.block else first)
        return parts._replace(sublayer=spec)

    def beside(self, other: Form) -> str | None:
        if isinstance(other, ValueResidual):
            return (
                "both mix the values of earlier blocks into attention, and LIMe's weights can take the other's values"
            )
        return None
