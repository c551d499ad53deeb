"""The algebra as it is written: blocks are called, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from ..nn import Context
from ..stream import State
from .chain import Step


def through(blocks: Iterable[Step], state: State, ctx: Context) -> State:
    """Return the state behind `blocks`."""
    for block in blocks:
        state = block(state, ctx)
    return state
