"""Attention over depth: each sublayer attends to the embedding and all earlier writes.

Shapes: B batch, T position, D width, N sublayers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..nn import NormSpec, RMSNorm
from ..stream import Connection, Single, Site, State, Stream
from .base import Form
from .weighted_history import opened, written


class DepthAttention(nn.Module):
    """A mean of arrays, weighted for each position by a learned query.

    Formula:
        h = sum_i p_i v_i, p = softmax_i(q . RMSNorm(v_i)); q starts at 0, so that h is the plain mean

    Shapes:
        each v_i and h [B, T, D]; q [D]

    Args:
        norm: the norm of what the query is compared with.
        width: D.
    """

    def __init__(self, norm: nn.Module, width: int) -> None:
        super().__init__()
        self.norm = norm
        self.query = nn.Parameter(torch.zeros(width))

    def roles(self) -> dict[str, str]:
        return {"query": "mix"}

    def forward(self, arrays: Sequence[Tensor]) -> Tensor:
        query_D = self.query.to(torch.promote_types(arrays[0].dtype, torch.float32))
        scores_LBT = torch.stack([self.norm(v_BTD).to(query_D.dtype) @ query_D for v_BTD in arrays])
        weights_LBT = torch.softmax(scores_LBT, dim=0)
        total_BTD = sum(w_BT.unsqueeze(-1) * v_BTD for w_BT, v_BTD in zip(weights_LBT, arrays, strict=True))
        assert isinstance(total_BTD, Tensor)
        return total_BTD.to(arrays[0].dtype)


class AttendingStream(Single):
    """Opens with the embedding; closes attention over it and all writes, then the norm.

    Args:
        norm: the norm behind the attention, or None.
        attention: over depth.
    """

    def __init__(self, norm: nn.Module | None, attention: DepthAttention) -> None:
        super().__init__(norm)
        self.attention = attention

    def open(self, x_BTD: Tensor) -> State:
        return opened(x_BTD)

    def close(self, state: State) -> Tensor:
        newest_BTD, older = state.main
        return super().close(State(self.attention((*older, newest_BTD)), state.side))


class Attend(Connection):
    """Reads by attention over what was written; its own write begins a group, or is added to the group's sum.

    Args:
        attention: over depth; None reads the newest array, which at the first sublayer is the only one.
        begins: whether the write is the first of its group.
    """

    def __init__(self, attention: DepthAttention | None, begins: bool) -> None:
        super().__init__()
        self.attention, self.begins = attention, begins

    def read(self, state: State) -> tuple[Tensor, None]:
        newest_BTD, older = state.main
        return newest_BTD if self.attention is None else self.attention((*older, newest_BTD)), None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        if self.begins:
            return written(state, y_BTD)
        newest_BTD, older = state.main
        return State((newest_BTD + y_BTD, older), state.side)

    def stream(self) -> Stream:
        raise BadInput(
            "Attention over depth needs the model's other sublayers: give the residual a state, not a tensor."
        )

    def extra_repr(self) -> str:
        return f"begins={self.begins}"


@dataclass(frozen=True)
class AttentionResiduals(Form):
    """Attention residuals: each sublayer reads a mean of all that was written, weighted by a query of its own.

    Formula:
        h_l = sum_i p_i v_i, p = softmax_i(q_l . RMSNorm(v_i)), v_0 the embedding and v_i = F(Norm h_i)
        At the end stands the same with a query of its own, then the norm.

        With a group of m sublayers, what these write is summed up to one v: the blocks of the paper.

    Every q starts at 0: then h is the mean of the v, which a norm in front of F makes the same as their sum, pre-norm's
    stream. Scores have no factor 1 / sqrt D, and values no norm. The softmax is computed in float32. The first sublayer
    has the embedding alone to read, and no query. It keeps N / m + 1 arrays of the stream's size for N sublayers, and
    reads each of them N / m times. Queries and gains are not decayed.

    Shapes:
        v_i, h_l [B, T, D]; q_l [D]

    Args:
        group: m, at least 1; 1 attends to every write by itself. About 8 groups keep most of the gain, by the paper.

    Raises:
        BadInput: where `group` is below 1.

    Source:
        Kimi team 2026 (2603.15031), equations 2 to 4; that zeros begin is stated there.
        Read: paper, and public code (fla-org/flash-linear-attention).
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.parse({"name": "attention_residuals", "group": 4})
        AttentionResiduals(group=4)
    """

    group: int = 1

    def __post_init__(self) -> None:
        if self.group < 1:
            raise BadInput(
                f"attention_residuals need a group of at least 1 sublayer, not {self.group}: 1 takes each alone."
            )
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return AttendingStream(sites[0].norm.build(sites[0].width), self._attention(sites[0]))

    def connection(self, site: Site) -> Connection:
        return Attend(self._attention(site) if site.write else None, site.write % self.group == 0)

    def _attention(self, site: Site) -> DepthAttention:
        return DepthAttention(NormSpec(RMSNorm, site.norm.eps).build(site.width), site.width)
