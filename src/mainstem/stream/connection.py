"""How a sublayer reads the stream and writes to it. May import its neighbours.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .state import State
from .stream import Single, Stream


class Connection(nn.Module):
    """Reads the input of a branch from the state, and writes its output back. Abstract; may own weights.

    `carry` is whatever `write` needs of what `read` computed.
    """

    stem = "connection"

    def read(self, state: State) -> tuple[Tensor, Any]:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def stream(self) -> Stream:
        """Return the stream that this connection opens and closes where it stands alone in somebody's model."""
        return Single()

    def forward(self, *_: Any) -> Any:
        raise TypeError("a connection has no forward: use read and write")


class Add(Connection):
    """y = F(x) + x, the residual connection.

    Source: He et al. 2016 (1512.03385), equation 1.
    """

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(state.main + y_BTD, state.side)


class Replace(Connection):
    """y = F(x), no residual connection: what every other one is compared with."""

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(y_BTD, state.side)
