"""How a sublayer reads the stream and writes to it.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from .site import Site
from .state import State
from .stream import Single, Stream


class Connection(nn.Module):
    """How a sublayer meets the stream: it reads the input of a branch, and writes its output back. Abstract.

    Formula:
        x, carry = read(state); state' = write(state, F(x), carry)

    It may own weights. `carry` is whatever `write` needs of what `read` computed.

    Example:
        >>> import torch
        >>> from mainstem.stream import State
        >>> class Halve(Connection):
        ...     def read(self, state):
        ...         return state.main, None
        ...     def write(self, state, y_BTD, carry):
        ...         return State((state.main + y_BTD) / 2, state.side)
        >>> from mainstem.stream import Residual
        >>> Residual([torch.nn.Identity()], Halve())(torch.ones(1, 1, 2)).tolist()
        [[[1.0, 1.0]]]
    """

    stem = "connection"
    replaces: ClassVar[bool] = False
    """Whether the branch's output takes the place of the stream, so that it may be of any shape."""

    def read(self, state: State) -> tuple[Tensor, Any]:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def stream(self) -> Stream:
        """Return the stream that this connection opens and closes where it stands alone in somebody's model."""
        return Single()

    def around_one(self) -> Stream | None:
        """Return what opens and closes several streams around a single sublayer, to be in the place of a sum; None
        where the connection has one stream, or needs several sublayers."""
        return None

    def forward(self, *_: Any) -> Any:
        raise TypeError("A connection has no forward: use read and write.")


class Add(Connection):
    """The residual connection.

    Formula:
        y = F(x) + x

    Shapes:
        the state, x and y [B, T, D]

    Source:
        He et al. 2016 (1512.03385), equation 1.

    Example:
        >>> import torch
        >>> from mainstem.stream import State
        >>> Add().write(State(torch.ones(1, 1, 2), {}), torch.ones(1, 1, 2), None).main.tolist()
        [[[2.0, 2.0]]]
    """

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(state.main + y_BTD, state.side)


class Replace(Connection):
    """No residual connection: what every other one is compared with.

    Formula:
        y = F(x)

    Shapes:
        the state, x and y [B, T, D]
    """

    replaces = True

    def read(self, state: State) -> tuple[Tensor, None]:
        return state.main, None

    def write(self, state: State, y_BTD: Tensor, carry: Any) -> State:
        return State(y_BTD, state.side)


@runtime_checkable
class Connects(Protocol):
    """What makes a connection for one sublayer: a residual form."""

    def connected(self, width: int | None, site: Site | None) -> Connection:
        """Return the connection of the sublayer at `site`, or at any place of a model of this width."""
        ...
