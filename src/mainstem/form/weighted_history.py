"""Each sublayer reads its own weighted sum of all that was written before it.

Shapes: B batch, T position, D width, N sublayers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import ops
from ..stream import Connection, Single, Site, State, Stream
from .base import Form


def opened(x_BTD: Tensor) -> State:
    """Return the state of a stream that keeps what was written: main = (the newest, the older ones in order)."""
    return State((x_BTD, ()), {})


def written(state: State, y_BTD: Tensor) -> State:
    """Return `state` with one array more, of the dtype that a sum with the stream has under autocast too."""
    newest_BTD, older = state.main
    y_BTD = y_BTD.to(torch.promote_types(y_BTD.dtype, newest_BTD.dtype))
    return State((y_BTD, (*older, newest_BTD)), state.side)


class WeightedStream(Single):
    """Opens with the embedding; closes the weighted sum of it and all writes, then the norm.

    Args:
        norm: the norm behind the sum, or None.
        length: how many arrays there are at the end, N + 1.
    """

    stands_alone = False

    def __init__(self, norm: nn.Module | None, length: int) -> None:
        super().__init__(norm)
        self.weight = nn.Parameter(torch.ones(length))

    def roles(self) -> dict[str, str]:
        return {"weight": "mix"}

    def open(self, x_BTD: Tensor) -> State:
        return opened(x_BTD)

    def close(self, state: State) -> Tensor:
        newest_BTD, older = state.main
        return super().close(State(ops.depth_sum((*older, newest_BTD), self.weight), state.side))


class WeightedSum(Connection):
    """Reads a weighted sum of the embedding and all writes so far, and adds its own to the list.

    Formula:
        h = sum_j w_j v_j; v_l = F(h)

    Args:
        length: how many arrays there are to read.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(length))

    def roles(self) -> dict[str, str]:
        return {"weight": "mix"}

    def read(self, state: State) -> tuple[Tensor, None]:
        newest_BTD, older = state.main
        return ops.depth_sum((*older, newest_BTD), self.weight), None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return written(state, y_BTD)

    def stream(self) -> Stream:
        return WeightedStream(None, len(self.weight) + 1)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"


@dataclass(frozen=True)
class WeightedHistory(Form):
    """Weighted history: the stream as the sum that it is, with a learned weight for each term and each reader.

    Formula:
        h_l = sum_{j < l} w_lj v_j, v_0 the embedding and v_j = F(Norm h_j) what sublayer j has written
        At the end stands a sum of all with weights of its own, then the norm. Every w starts at 1, which is pre-norm.

    It has (N + 1)(N + 2) / 2 learned weights for N sublayers, which are not decayed, and keeps N + 1 arrays of the
    stream's size. DenseFormer has such weights over the outputs of whole blocks.

    Source:
        He et al. 2016 (1603.05027), equation 4, which writes the stream out as that sum; the weights are ours.
        Read: nothing of the original.
        Differs: the weights are ours.

    Example:
        >>> from mainstem import form
        >>> form.parse("weighted_history")
        WeightedHistory()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        # Sublayers that are grouped write once.
        return WeightedStream(sites[0].norm.build(sites[0].width), sites[0].writes + 1)

    def connection(self, site: Site) -> Connection:
        return WeightedSum(site.write + 1)
