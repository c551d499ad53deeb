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
from ..ops.depth_sum import Link
from ..stream import Connection, Single, Site, State, Stream
from ..stream.state import Normed
from .base import Form


class Deep(Normed):
    """A state that carries the end of the chain of averages too; made of it by others, a state begins a new chain."""

    link: Link | None = None

    @classmethod
    def after(cls, before: State, main: tuple[Tensor, tuple[Tensor, ...]], link: Link | None) -> Deep:
        state = cls(main, before.side)
        state.link = link
        return state


def link_of(state: State) -> Link | None:
    return state.link if isinstance(state, Deep) else None


class History(Single):
    """main = (x, (X_0, X_1, ...)): the stream, and the embedding and the blocks' outputs before averaging."""

    def open(self, x_BTD: Tensor) -> State:
        return State((x_BTD, (x_BTD,)), {})

    def close(self, state: State) -> Tensor:
        return super().close(State(state.main[0], state.side))


class AddWithHistory(Connection):
    """x + F(x), the history left as it is."""

    reads_stream = True

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[0], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD, history = state.main
        return Deep.after(state, (x_BTD + y_BTD, history), link_of(state))

    def norm_behind(self, ahead: nn.Module | None) -> nn.Module | None:
        return ahead

    def residual(self, state: State) -> Tensor:
        x_BTD: Tensor = state.main[0]
        return x_BTD

    def join(self, state: State, norm: nn.Module, stream_BTD: Tensor, normed_BTD: Tensor) -> State:
        after = Deep.after(state, (stream_BTD, state.main[1]), link_of(state))
        after.by, after.normed = norm, normed_BTD
        return after

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
        x_BTD, history = state.main
        history = (*history, x_BTD + y_BTD)
        # The newest comes first in it, so that the sum is exact while the others weigh 0.
        total, link = ops.chained_depth_sum(history, self.weight[-len(history) :], link_of(state))
        return Deep.after(state, (total, history), link)

    def norm_behind(self, ahead: nn.Module | None) -> None:
        return None

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
