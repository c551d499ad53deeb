"""How a stream is opened and closed. May import nn, noise and its neighbours.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .state import State


class Stream(nn.Module):
    """Opens a state from the embedded tokens and closes it into what the head reads. Abstract.

    Owns the final norm, if the form has one. Opened and closed once per model.
    """

    def open(self, x_BTD: Tensor) -> State:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def close(self, state: State) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def forward(self, *_: Any) -> Any:
        raise TypeError("a stream has no forward: use open and close")


class Single(Stream):
    """One tensor [B, T, D]; closed by `norm`, or as it is."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm

    def open(self, x_BTD: Tensor) -> State:
        return State(x_BTD, {})

    def close(self, state: State) -> Tensor:
        x_BTD: Tensor = state.main
        return x_BTD if self.norm is None else self.norm(x_BTD)
