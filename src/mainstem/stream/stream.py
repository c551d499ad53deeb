"""How a stream is opened and closed.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from .state import State


class Stream(nn.Module):
    """What opens a state from the embedded tokens, and closes it into what the head reads. Abstract.

    It owns the final norm, if the form has one. A model opens and closes it once.

    Shapes:
        open: x [B, T, D] -> State; close: State -> [B, T, D]
    """

    stands_alone: ClassVar[bool] = True
    """Whether one residual may open and close it by itself, in the place of a sum."""

    def open(self, x_BTD: Tensor) -> State:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def close(self, state: State) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def forward(self, *_: Any) -> Any:
        raise TypeError("A stream has no forward: use open and close.")


class Single(Stream):
    """The ordinary stream: one tensor, closed by a norm or as it is.

    Shapes:
        the state [B, T, D]

    Args:
        norm: the norm behind the last sublayer, or None.

    Example:
        >>> import torch
        >>> Single().open(torch.zeros(1, 2, 4)).main.shape
        torch.Size([1, 2, 4])
    """

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm

    def open(self, x_BTD: Tensor) -> State:
        return State(x_BTD, {})

    def close(self, state: State) -> Tensor:
        x_BTD: Tensor = state.main
        return x_BTD if self.norm is None else self.norm(x_BTD)
