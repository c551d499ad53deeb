"""Two streams whose inputs can be computed back from their outputs, so that no activation need be stored.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .connection import Connection
from .state import State
from .stream import Stream


class Couple(Connection):
    """The additive coupling: one of two streams is read, the other is written, and they change places at each sublayer.

    Formula:
        (a, b) -> (b, a + F(b)); for a pair of sublayers, a' = a + F(b), b' = b + G(a')

    Shapes:
        the state (a, b), each [B, T, D]

    Source:
        Gomez et al. 2017 (1707.04585), equation 6.
    """

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main[1], None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        first, second = state.main
        return State((second, first + y_BTD), state.side)

    def unread(self, state: State) -> Tensor:
        """Return what `read` gave, from the state after the write."""
        x_BTD: Tensor = state.main[0]
        return x_BTD

    def undoes(self, state: State) -> bool:
        """Return whether a write to such a state can be undone now."""
        return True

    def drawn(self, num_samples: int) -> Any:
        """Return what a write draws at random, the same again inside the same scope; None for nothing."""
        return None

    def lost(self, state: State) -> Tensor | None:
        """Return what of `state` a write loses, so that `unwrite` needs it, or None."""
        return None

    def unwrite(self, state: State, y_BTD: Tensor, drawn: Any = None, lost: Tensor | None = None) -> State:
        """Return the state before the write of `y_BTD`, which drew `drawn` and lost `lost`."""
        second, written = state.main
        return State((written - y_BTD, second), state.side)

    def pull(self, grad: Tensor, drawn: Any = None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return what the gradient of the written stream is to y, to the stream that it replaced and to the other."""
        return grad, grad, None

    def stream(self) -> Stream:
        return Reversible()


class Reversible(Stream):
    """Two streams that can be computed back: opens (x, x), closes the mean of both, then the norm.

    Args:
        norm: the norm behind the mean, or None.
    """

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm

    def open(self, x_BTD: Tensor) -> State:
        return State((x_BTD, x_BTD), {})

    def close(self, state: State) -> Tensor:
        x_BTD = 0.5 * (state.main[0] + state.main[1])
        return x_BTD if self.norm is None else self.norm(x_BTD)
