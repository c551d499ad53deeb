"""A block: residuals in a row, with names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from ..nn import Context
from .residual import Residual
from .state import State


class Block(nn.Module):
    """A list of residuals, called in order.

    Args:
        residuals: the residuals; a mapping gives them names of their own.

    Example:
        >>> block = Block([Residual([nn.Linear(2, 2)]), Residual([nn.Linear(2, 2)])])
        >>> [name for name, _ in block.named_children()]
        ['0', '1']
    """

    def __init__(self, residuals: Mapping[str, Residual] | Iterable[Residual]) -> None:
        super().__init__()
        named = residuals.items() if isinstance(residuals, Mapping) else enumerate(residuals)
        for name, residual in named:
            self.add_module(str(name), residual)

    def forward(self, state: State, ctx: Context | None = None) -> State:
        for residual in self.children():
            state = residual(state, ctx)
        return state
