"""DenseFormer: behind each block, a learned average over all blocks so far. May import ops and its neighbours here.

Shapes: B batch, T position, D width.
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


class History(Single):
    """main = (x, (X_0, X_1, ...)): the stream, and the embedding and the blocks' outputs before averaging."""

    def open(self, x_BTD: Tensor) -> State:
        return State((x_BTD, (x_BTD,)), {})

    def close(self, state: State) -> Tensor:
        return super().close(State(state.main[0], state.side))


class AddWithHistory(Connection):
    """x + F(x), the history left as it is."""

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[0], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD, history = state.main
        return State((x_BTD + y_BTD, history), state.side)

    def stream(self) -> Stream:
        return History()


class Average(AddWithHistory):
    """After the last write of block i: X_i = x + F(x), then x = sum_{j <= i} a_j X_j; a starts at (0, ..., 0, 1)."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.nn.functional.one_hot(torch.tensor(length - 1), length).float())

    def roles(self) -> dict[str, str]:
        return {"weight": "mix"}

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        history, weights = self.extended(state, y_BTD)
        return State((ops.depth_sum(history, weights), history), state.side)

    def extended(self, state: State, y_BTD: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the history with x + F(x) at its end, and the weights of its arrays."""
        x_BTD, history = state.main
        history = (*history, x_BTD + y_BTD)
        # The newest comes first in the sum, so that it is exact while the others weigh 0.
        return history, self.weight[-len(history) :]

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"


@dataclass(frozen=True)
class DenseFormer(Form):
    """After block i: x = sum_{j <= i} a_ij X_j over the embedding X_0 and the blocks' outputs X_j before averaging.

    L (L + 3) / 2 learned weights; no weight decay.

    Source: Pagliardini et al. 2024 (2402.02622), equation 1.
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return History(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Average(site.block + 2) if site.last_in_block else AddWithHistory()
