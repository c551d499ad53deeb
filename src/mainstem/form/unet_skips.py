"""U-Net skips: the second half of the blocks also sees what the first half has made.

Shapes: B batch, T position, D width, L blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..stream import Add, Connection, Site, State, Stream
from .base import Form


class Push(Add):
    """Adds, and sends the sum along the stream under a name.

    Formula:
        x' = x + F(x)

    Args:
        name: under which x' travels on.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        x_BTD = state.main + y_BTD
        return State(x_BTD, state.side).with_side({self.name: x_BTD})

    def extra_repr(self) -> str:
        return self.name


class Pop(Connection):
    """Adds what travels under a name to the stream, by a learned weight, and then the branch.

    Formula:
        x <- x + w s; x' = x + F(x)

    Args:
        name: of s.
        start: w at the start.
    """

    def __init__(self, name: str, start: float) -> None:
        super().__init__()
        self.name = name
        self.weight = nn.Parameter(torch.tensor([float(start)]))

    def roles(self) -> dict[str, str]:
        return {"weight": "mix"}

    def read(self, state: State) -> tuple[Tensor, Tensor]:
        x_BTD = state.main + self.weight.to(state.main.dtype) * state.side[self.name]
        return x_BTD, x_BTD

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(carry + y_BTD, state.side)

    def stream(self) -> Stream:
        raise BadInput(
            f"A residual with {type(self).__name__} reads {self.name!r} of another block, and was called with a "
            "tensor: put the layers into mainstem.Stack(form, layers, width), or give it a state."
        )

    def extra_repr(self) -> str:
        return self.name


@dataclass(frozen=True)
class UNetSkips(Form):
    """U-Net skips: the last block sees the output of the first again, the last but one that of the second, and so on.

    Formula:
        before block i, counted from 1, of the last floor(L / 2) of L blocks: x <- x + w_i X_(L + 1 - i)
        X_j is the stream behind block j; the blocks are pre-norm's.

    w_i is one learned number, not decayed. It keeps L / 2 arrays of the stream's size.

    Args:
        start: w at the start; 1 as in the code of the source.

    Source:
        modded-nanogpt (2024), record of 2024-11-10 (`skip_weights`); slowrun (2026) for an odd number of blocks.
        Ronneberger et al. 2015 (1505.04597) have such connections in a convolutional network.
        Read: code of modded-nanogpt and slowrun.
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.parse("unet_skips")
        UNetSkips(start=1.0)
    """

    start: float = 1.0

    def connection(self, site: Site) -> Connection:
        half, back = site.blocks // 2, site.blocks - 1 - site.block
        if back < half and site.first_in_block:
            return Pop(f"skip_{back}", self.start)
        if site.block < half and site.last_in_block:
            return Push(f"skip_{site.block}")
        return Add()
