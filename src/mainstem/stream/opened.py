"""Several streams around one sublayer: opened in front of it, and closed behind it.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from .connection import Connection
from .state import State
from .stream import Stream


class Opened(Connection):
    """A connection that opens and closes its own stream, so that it is a residual connection for one sublayer.

    Formula:
        s = open(x); h, carry = read(s); y = close(write(s, F(h), carry))

    Shapes:
        the state, h and y of one shape [..., D]

    Args:
        connection: how the sublayer meets the streams.
        around: what opens and closes them; closed as they were opened, they give x back.

    Example:
        >>> import torch
        >>> from mainstem import Residual, form
        >>> residual = Residual(torch.nn.Identity(), form.Hyper(weights="static"), width=2)
        >>> residual(torch.ones(1, 1, 2)).tolist()
        [[[2.0, 2.0]]]
    """

    def __init__(self, connection: Connection, around: Stream) -> None:
        super().__init__()
        self.connection, self.around = connection, around

    def read(self, state: State) -> tuple[Tensor, Any]:
        x = state.main
        rows_BTD = x.reshape(*(x.shape[:1] if x.dim() > 1 else (1,)), math.prod(x.shape[1:-1]), x.shape[-1])
        opened = State(self.around.open(rows_BTD).main, state.side)
        h_BTD, carry = self.connection.read(opened)
        return h_BTD.reshape(x.shape), (opened, h_BTD.shape, carry)

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        opened, shape, inner = carry
        closed_BTD = self.around.close(self.connection.write(opened, y_BTD.reshape(shape), inner))
        return State(closed_BTD.reshape(state.main.shape), state.side)
