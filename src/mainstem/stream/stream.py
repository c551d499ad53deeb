"""How a stream is opened, run through the blocks, and closed. May import nn, noise and its neighbours.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..nn import Context
from ..noise import checkpoint
from . import fused
from .state import State, normed_by

Block = Callable[[State, Context], State]


class Stream(nn.Module):
    """Opens a state from the embedded tokens and closes it into what the head reads. Abstract.

    Owns the final norm, if the form has one. Opened and closed once per model.
    """

    def open(self, x_BTD: Tensor) -> State:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def close(self, state: State) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def through(self, blocks: Iterable[Block], state: State, ctx: Context, recompute: bool = False) -> State:
        """Run the state through the blocks; with `recompute`, backward computes their activations again."""
        blocks = list(blocks)
        ctx = replace(ctx, ahead=self.ahead(blocks, recompute))
        for block in blocks:
            state = _again(block, state, ctx) if recompute else block(state, ctx)
        return state

    def ahead(self, blocks: list[Block], recompute: bool = False) -> dict[nn.Module, nn.Module]:
        """Return, by residual, the module that reads what it writes; with `recompute` inside each block alone."""
        return {}

    def forward(self, *_: Any) -> Any:
        raise TypeError("a stream has no forward: use open, through and close")


def _again(block: Block, state: State, ctx: Context) -> State:
    # Dynamo does not take a NamedTuple through its checkpoint operator, so the state goes in and out as a pair.
    def run(main: Any, side: dict[str, Tensor]) -> tuple[Any, dict[str, Tensor]]:
        after = block(State(main, side), ctx)
        return after.main, after.side

    return State(*checkpoint(run, state.main, state.side))


class Single(Stream):
    """One tensor [B, T, D]; closed by `norm`, or as it is."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm

    def open(self, x_BTD: Tensor) -> State:
        return State(x_BTD, {})

    def close(self, state: State) -> Tensor:
        x_BTD: Tensor = state.main
        if self.norm is None:
            return x_BTD
        normed_BTD = normed_by(state, self.norm)
        return self.norm(x_BTD) if normed_BTD is None else normed_BTD

    def ahead(self, blocks: list[Block], recompute: bool = False) -> dict[nn.Module, nn.Module]:
        if not fused.allowed():
            return {}
        found: dict[nn.Module, nn.Module] = {}
        before: nn.Module | None = None
        for block in blocks:
            # What a checkpoint hands on is tensors alone, and a watched or unknown block might change them.
            residuals = list(block.children()) if isinstance(block, nn.Module) and fused.unwatched(block) else []
            before = before if residuals and not recompute else None
            for residual in residuals:
                norm = fused.first_norm(residual)
                if before is not None and norm is not None:
                    found[before] = norm
                before = residual
        if before is not None and fused.is_norm(self.norm) and not recompute:
            found[before] = self.norm
        return found
