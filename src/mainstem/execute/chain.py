"""Blocks as a chain of residuals that may be computed together, and of what must be called as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeGuard

from ..nn import Context
from ..nn.built import as_built
from ..stream import Block, Branch, Residual, State

Step = Callable[[State, Context], State]
"""A block, or a residual: a module, or any function."""


class Unfused(NamedTuple):
    """A step that is called, because it is hooked, replaced, or another one."""

    call: Step


Link = Residual | Unfused


def links(block: Step) -> list[Link]:
    """Return the residuals of `block` where it is ours as it was built, or the block itself, to be called."""
    if not as_built(block, Block):
        return [Unfused(block)]
    return [part if is_open(part) else Unfused(part) for part in block._modules.values() if part is not None]


def is_open(residual: object) -> TypeGuard[Residual]:
    """Return whether the modules of a residual may be called without calling it."""
    return as_built(residual, Residual) and residual.shortcut is None and as_built(residual.branch, Branch)
