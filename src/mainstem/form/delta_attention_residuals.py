"""Attention over what sublayers have added: each reads the stream and a choice of all writes.

Shapes: B batch, T position, D width, N sublayers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInput
from ..nn import NormSpec, RMSNorm
from ..stream import Connection, Site, State, Stream
from .attention_residuals import DepthAttention
from .base import Form
from .denseformer import History


class AttendDeltas(Connection):
    """Reads the stream and, by attention, what was added to it before; adds to the stream, and notes what.

    Formula:
        h = x + sum_i p_i v_i; x' = x + F(h), v_l = F(h)

    Args:
        attention: over depth; None where there is one v at most.
        sources: how many v there are to read; the others are of a group that goes on.
        begins: whether the write is the first of its group, and not added to the one before.
    """

    def __init__(self, attention: DepthAttention | None, sources: int, begins: bool) -> None:
        super().__init__()
        self.attention, self.sources, self.begins = attention, sources, begins

    def read(self, state: State) -> tuple[Tensor, None]:
        x_BTD, deltas = state.main
        if self.attention is None:
            return x_BTD + deltas[0] if self.sources else x_BTD, None
        return x_BTD + self.attention(deltas[: self.sources]), None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD, deltas = state.main
        y_BTD = y_BTD.to(torch.promote_types(y_BTD.dtype, x_BTD.dtype))
        noted = (*deltas, y_BTD) if self.begins else (*deltas[:-1], deltas[-1] + y_BTD)
        return State((x_BTD + y_BTD, noted), state.side)

    def stream(self) -> Stream:
        return History()

    def extra_repr(self) -> str:
        return f"sources={self.sources}, begins={self.begins}"


@dataclass(frozen=True)
class DeltaAttentionResiduals(Form):
    """Delta attention residuals: each sublayer reads the stream and, weighted by a query, what earlier ones have added.

    Formula:
        h_l = x + sum_i p_i v_i, p = softmax_i(q_l . RMSNorm(v_i)); x' = x + v_l, v_l = F(Norm h_l)
        v_0 is the embedding; at the end stands Norm x.

        With a group of m sublayers, what these add is one v, which is attended to when the group is full.

    The stream stays a sum; what is attended to are its terms, which differ more than the stream's states do. Scores
    have no factor 1 / sqrt D, and values no norm. The first sublayer reads the embedding alone, and none has a query
    where there is one v to read. It keeps N / m + 1 arrays of the stream's size, and reads each of them N / m times.
    Queries and gains are not decayed. Every q starts at 0, as in `attention_residuals`; in the authors' code it is
    drawn with a standard deviation of 0.02. That code takes the v before off the stream where a block ends, which is
    the sum of a group for the first two alone: here it is the sum, as the paper has it. There the sublayer that begins
    the next block does not read it yet; here it does.

    Shapes:
        v_i, h_l [B, T, D]; q_l [D]

    Args:
        group: m, at least 1.

    Raises:
        BadInput: where `group` is below 1.

    Source:
        Luo et al. 2026 (2605.18855), v_i = h_(i+1) - h_i of its abstract, with the modes "delta" and "delta_block" of
        the authors' code (wdlctc/delta-attention-residuals-code, `modeling_qwen3_attnres.py`).
        Read: abstract; code of the authors.
        Differs: q starts at 0; a group's sum, and when it is read.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "delta_attention_residuals", "group": 4})
        DeltaAttentionResiduals(group=4)
    """

    group: int = 1

    def __post_init__(self) -> None:
        if self.group < 1:
            raise BadInput(
                f"delta_attention_residuals need a group of at least 1 sublayer, not {self.group}: 1 takes each alone."
            )
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return History(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        sources = 1 + site.write // self.group if site.write else 0
        attention = None  # of one v, a query would choose nothing
        if sources > 1:
            attention = DepthAttention(NormSpec(RMSNorm, site.norm.eps).build(site.width), site.width)
        return AttendDeltas(attention, sources, site.write % self.group == 0)
