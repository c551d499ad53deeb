"""Blocks whose activations are not kept: backward computes them again, with the same masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..noise import checkpoint
from ..stream import State


def again(step: Callable[[State], State], state: State) -> State:
    """Return `step(state)`, of which backward keeps the state alone."""

    # Dynamo does not take a NamedTuple through its checkpoint operator, so the state goes in and out as a pair.
    def run(main: Any, side: dict[str, Tensor]) -> tuple[Any, dict[str, Tensor]]:
        after = step(State(main, side))
        return after.main, after.side

    return State(*checkpoint(run, state.main, state.side))
