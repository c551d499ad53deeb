"""DenseFormer: behind each block, a learned average over all blocks so far.

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
    """Keeps arrays beside the stream: main = (x, (X_0, X_1, ...)), X_0 the embedding; closes the stream, then the norm.

    Shapes:
        x and each X_j [B, T, D]
    """

    stands_alone = False

    def open(self, x_BTD: Tensor) -> State:
        return State((x_BTD, (x_BTD,)), {})

    def close(self, state: State) -> Tensor:
        return super().close(State(state.main[0], state.side))


class AddWithHistory(Connection):
    """Adds within a block, and leaves the other arrays as they are.

    Formula:
        x' = x + F(x)
    """

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[0], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD, history = state.main
        return State((x_BTD + y_BTD, history), state.side)

    def stream(self) -> Stream:
        return History()


class Average(AddWithHistory):
    """Adds, notes the block's output in the history, and averages the history with learned weights.

    Formula:
        X_i = x + F(x), then x' = sum_{j <= i} a_j X_j; a starts at (0, ..., 0, 1)

    Args:
        length: how many arrays are averaged: the embedding and i blocks.
    """

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
    """DenseFormer: behind each block, a learned average over the embedding and all blocks so far.

    Formula:
        x = sum_{j <= i} a_ij X_j behind block i, with X_0 the embedding and X_j the output of block j before averaging

        a_i starts at (0, ..., 0, 1), so that the network begins as a pre-norm one.

    It has L (L + 3) / 2 learned weights, which are not decayed, and keeps L + 1 arrays of the stream's size.

    Shapes:
        X_j [B, T, D], a_i [i + 1]

    Source:
        Pagliardini et al. 2024 (2402.02622), equation 1. Their dilation and period are not offered.
        Read: code of the authors (epfml/DenseFormer).
        Differs: no dilation and no period.

    Example:
        >>> from mainstem import form
        >>> form.parse("denseformer | value_residual").init()
        'gpt2'
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return History(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Average(site.block + 2) if site.last_in_block else AddWithHistory()
