"""MUDD: queries, keys, values and the stream each read their own mixture of all blocks.

Shapes: B batch, T position, D width, C ways (query, key, value, stream), L arrays so far, M hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..nn import AttentionSpec, Context, Linear, NormSpec
from ..stream import Connection, Site, State, Stream
from .base import Form, Parts, defines, reads_as_pre_norm
from .denseformer import AddWithHistory, History

WAYS = ("mudd_query", "mudd_key", "mudd_value")
"""Under which names the mixtures beside the stream's travel."""


class Mixtures(nn.Module):
    """Mixtures of arrays, weighted at each position by a small network that sees the newest.

    Formula:
        A = gelu(RMSNorm(X_L) W1) W2 + a; y_c = sum_j A_cj X_j

        W2 starts at 0, a at (0, ..., 0, 1) for each c, so that every y_c begins as the newest array.

    Shapes:
        X_j, y_c [B, T, D]; W1 [M, D], W2 [M, C L], a [C, L]; RMSNorm has no gain

    Args:
        width: D.
        ways: C.
        length: L.
        hidden: M.
    """

    def __init__(self, width: int, ways: int, length: int, hidden: int) -> None:
        super().__init__()
        self.ways, self.length = ways, length
        self.down = Linear(width, hidden)
        self.up = nn.Parameter(torch.zeros(hidden, ways * length))
        newest = nn.functional.one_hot(torch.tensor(length - 1), length).float()
        self.static = nn.Parameter(newest.repeat(ways, 1))

    def roles(self) -> dict[str, str]:
        return {"up": "mix.dynamic", "static": "mix"}

    def forward(self, arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
        newest_BTD = arrays[-1]
        hidden_BTM = nn.functional.gelu(self.down(ops.rms_norm(newest_BTD, None, 1e-6)))
        weights = (hidden_BTM @ self.up.to(hidden_BTM.dtype)).unflatten(2, (self.ways, self.length)) + self.static
        weights = weights.to(newest_BTD.dtype)
        mixed = []
        for way in range(self.ways):
            # The newest comes first in the sum, so that it is exact while the others weigh 0.
            y_BTD = weights[:, :, way, -1, None] * newest_BTD
            for number, x_BTD in enumerate(arrays[:-1]):
                y_BTD = y_BTD + weights[:, :, way, number, None] * x_BTD
            mixed.append(y_BTD)
        return tuple(mixed)

    def extra_repr(self) -> str:
        return f"ways={self.ways}, length={self.length}"


class Multiway(AddWithHistory):
    """Adds; at the end of a block, notes its output and mixes all so far. Attention reads the mixture for queries.

    Args:
        mixtures: of the outputs of all blocks, at the end of one.
        read_as: the name under which what is read travels; None reads the stream.
    """

    def __init__(self, mixtures: Mixtures | None, read_as: str | None) -> None:
        super().__init__()
        self.mixtures, self.read_as = mixtures, read_as

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[0] if self.read_as is None else state.side[self.read_as], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD, history = state.main
        x_BTD = x_BTD + y_BTD
        if self.mixtures is None:
            return State((x_BTD, history), state.side)
        history = (*history, x_BTD)
        *ways, mixed_BTD = self.mixtures(history)
        return State((mixed_BTD, history), state.side).with_side(dict(zip(WAYS, ways, strict=False)))


@dataclass(frozen=True)
class WaySpec:
    """A `Way` to be, at the points "key_input" and "value_input" of attention."""

    name: str
    norm: NormSpec
    width: int

    def build(self, spec: object = None) -> Way:
        return Way(self.name, self.norm.build(self.width))


class Way(nn.Module):
    """What travels under a name, normalised, in place of x.

    Args:
        name: under which it travels.
        norm: of it.

    Example:
        >>> ctx = Context(side={"mudd_key": torch.ones(1, 1, 2)})
        >>> Way("mudd_key", nn.Identity())(torch.zeros(1, 1, 2), ctx).tolist()
        [[[1.0, 1.0]]]
    """

    stem = "norm"
    wants_context = True

    def __init__(self, name: str, norm: nn.Module) -> None:
        super().__init__()
        self.name, self.norm = name, norm

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor:
        found: Tensor = self.norm((Context() if ctx is None else ctx).side[self.name])
        return found

    def extra_repr(self) -> str:
        return self.name


@dataclass(frozen=True)
class MUDD(Form):
    """MUDD, multiway dynamic dense connections: four mixtures of all blocks, weighted at each position.

    Formula:
        X_i = h + F(Norm h), h = x_r + Attention(Norm x_q, Norm x_k, Norm x_v) for block i, with norms of their own
        x_c = sum_{j <= i} A_cj X_j for c in (q, k, v, r) behind block i; A = gelu(RMSNorm(X_i) W1) W2 + a_i

        X_0 is the embedding, which the first block reads in all four ways. Behind the last block is one mixture, then
        Norm x. W2 starts at 0 and a_i at (0, ..., 0, 1), so that the network begins as a pre-norm one.

    The hidden width of A is C (i + 1), C = 4 ways, and four times what it would be behind the last block; the authors'
    code rounds it up to the next multiple of 64. Their feed-forward sublayers grow with depth: not done here. It keeps
    L + 1 arrays of the stream's size and makes 4 mixtures of them behind every block. W1 is drawn as a linear layer's
    and decayed, as W2 is; a is not decayed.

    Shapes:
        X_j, x_c [B, T, D]; A [B, T, C, i + 1]

    Source:
        Xiao et al. 2025 (2502.12170), with `MultiwayDynamicDenseBlock` of the authors' code (Caiyun-AI/MUDDFormer,
        `modeling_muddformer.py`; where it starts, `jax/MaxText/layers/llama2.py`).
        Read: code of the authors.
        Differs: no rounding of the hidden width, and no growing feed-forward.

    Example:
        >>> from mainstem import form
        >>> form.parse("mudd")
        MUDD()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return History(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        mixtures = None
        if site.last_in_block:
            last, length = site.block + 1 == site.blocks, site.block + 2
            ways = 1 if last else len(WAYS) + 1
            mixtures = Mixtures(site.width, ways, length, (4 if last else ways) * length)
        reads_own = site.kind == "attention" and site.block > 0
        return Multiway(mixtures, WAYS[0] if reads_own else None)

    def branch(self, site: Site, parts: Parts) -> Parts:
        spec = parts.sublayer
        if not isinstance(spec, AttentionSpec) or site.block == 0:
            return parts
        for point, name in (("key_input", WAYS[1]), ("value_input", WAYS[2])):
            spec = spec.having(point, WaySpec(name, site.norm, site.width))
        return parts._replace(sublayer=spec)

    def beside(self, other: Form) -> str | None:
        if defines(other, "groups"):
            return "mudd gives attention inputs of its own, and the other one has sublayers share one"
        if not reads_as_pre_norm(other):
            return "mudd's keys and values do not pass what the other one puts, or leaves out, in front of attention"
        return None
