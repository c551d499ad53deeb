"""How a sublayer reads the stream and writes to it. May import its neighbours.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .state import Normed, State
from .stream import Single, Stream


class Connection(nn.Module):
    """Reads the input of a branch from the state, and writes its output back. Abstract; may own weights.

    `carry` is whatever `write` needs of what `read` computed.
    """

    stem = "connection"
    reads_stream = False
    """Whether `read` gives the stream as it is, what `residual` returns."""

    def read(self, state: State) -> tuple[Tensor, Any]:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def norm_behind(self, ahead: nn.Module | None) -> nn.Module | None:
        """Return the norm that is taken of the sum as soon as it is written, or None where there is no such norm.

        `ahead` is the one with which the next reader begins, if it does. A connection that returns a norm has `join`.
        """
        return None

    def join(self, state: State, norm: nn.Module, stream_BTD: Tensor, normed_BTD: Tensor) -> State:
        """Return what `write` does, from the sum `residual(state) + y` and from that sum's `norm`."""
        raise NotImplementedError(f"{type(self).__name__} has no norm behind its sum")

    def write_for(self, state: State, y_BTD: Tensor, carry: Any, reader: nn.Module | None) -> State:
        """Return what `write` does; `reader`, where it is known, may have been given its part in the same pass."""
        return self.write(state, y_BTD, carry)

    def residual(self, state: State) -> Tensor:
        """Return what the branch's output is added to, for `join`."""
        main: Tensor = state.main
        return main

    def stream(self) -> Stream:
        """Return the stream that this connection opens and closes where it stands alone in somebody's model."""
        return Single()

    def forward(self, *_: Any) -> Any:
        raise TypeError("a connection has no forward: use read and write")


class Add(Connection):
    """y = F(x) + x, the residual connection.

    Source: He et al. 2016 (1512.03385), equation 1.
    """

    reads_stream = True

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(state.main + y_BTD, state.side)

    def norm_behind(self, ahead: nn.Module | None) -> nn.Module | None:
        return ahead

    def join(self, state: State, norm: nn.Module, stream_BTD: Tensor, normed_BTD: Tensor) -> State:
        return Normed.of(stream_BTD, state.side, norm, normed_BTD)


class Replace(Connection):
    """y = F(x), no residual connection: what every other one is compared with."""

    reads_stream = True

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(y_BTD, state.side)
