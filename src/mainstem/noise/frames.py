"""What torch.utils.checkpoint computes again, so that it draws the masks of its forward.

A call of checkpoint (with use_reentrant=False) has a frame, which its forward and each recomputation share. What the
forward's draws were taken from is kept on the frame, for as long as the frame is.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .. import counter
from ..counter import Draw, Scope

_KEPT, _REPEATED = "_mainstem_kept", "_mainstem_repeated"
_FORWARD, _AGAIN = ("_checkpoint_hook", "frame"), ("_recomputation_hook", "target_frame_ref")
"""Hooks of torch.utils.checkpoint on saved tensors, and the names by which they hold their frame."""


class Frame(NamedTuple):
    """The innermost call of checkpoint that is running; `again` tells apart its recomputations, None in the forward."""

    held: Any
    again: Any = None


class Kept:
    """The scope of a frame's forward as it stood when something was first drawn there."""

    def __init__(self, scope: Scope | None) -> None:
        self.draw: Draw | None = None if scope is None else scope.draw
        self.mixed = False
        """Whether later draws were taken from other scopes, so that this one does not say what they were."""
        self._calls = {} if scope is None else dict(scope.calls)
        self._noticed: set[str] = set() if scope is None else scope.noticed
        self._again: tuple[Any, Scope] | None = None

    def scope(self, again: Any) -> Scope:
        """Return the scope of the recomputation `again`, one and the same to its end."""
        assert self.draw is not None
        if self._again is None or self._again[0] is not again:
            scope = Scope(self.draw, dict(self._calls), replay=True)
            scope.noticed = self._noticed
            self._again = again, scope
        return self._again[1]


def innermost() -> Frame | None:
    """Return the call of checkpoint that is running, or None; one in which other hooks were set is not seen.

    Example:
        >>> found = []
        >>> y = torch.utils.checkpoint.checkpoint(lambda x: found.append(innermost()) or x * x,
        ...                                       torch.ones(1, requires_grad=True), use_reentrant=False)
        >>> y.backward()
        >>> found[0].held is found[1].held, found[0].again is None, found[1].again is None, innermost()
        (True, True, False, None)
    """
    if torch.compiler.is_compiling():
        return None
    hooks: Any = torch._C._autograd._top_saved_tensors_default_hooks(True)
    if not hooks:
        return None
    pack = inspect.unwrap(hooks[0])
    if (frame := _held(pack, *_FORWARD)) is not None:
        return Frame(frame)
    if (reference := _held(pack, *_AGAIN)) is not None and (frame := reference()) is not None:
        return Frame(frame, pack)
    return None


def kept(frame: Frame | None) -> Kept | None:
    """Return what the forward of a recomputation was drawn from; None where there is none, or it cannot be told."""
    found: Kept | None = None if frame is None or frame.again is None else getattr(frame.held, _KEPT, None)
    return None if found is None or found.mixed else found


def keep(frame: Frame | None) -> None:
    """Keep the present scope for `frame`, if this is its forward, and nothing was drawn in it before."""
    if frame is None or frame.again is not None:
        return
    scope = counter.current()
    found: Kept | None = getattr(frame.held, _KEPT, None)
    if found is None:
        setattr(frame.held, _KEPT, Kept(scope))
    elif found.draw is not (None if scope is None else scope.draw) and not _inside(scope, frame):
        found.mixed = True


def repeat(frame: Frame, within: Callable[[Frame, Scope], contextlib.AbstractContextManager[Any]]) -> bool:
    """Have each recomputation of `frame` run inside of `within`, which is given what it draws from.

    That is for functions that draw while no module runs that began in the frame, so that no hook opens their scope: as
    where somebody checkpoints a module's forward and not its call. Returns whether there is a way.
    """
    held = frame.held
    if getattr(held, _REPEATED, False):
        return True
    again = getattr(held, "recompute_fn", None)
    if not callable(again):
        return False

    def recompute(*args: Any) -> None:
        now = innermost()
        found = kept(now)
        if now is None or found is None or found.draw is None:
            raise RuntimeError("What a recomputation in backward draws from is not known: call checkpoint as it is.")
        with within(now, found.scope(now.again)):
            again(*args)

    held.recompute_fn = recompute
    setattr(held, _REPEATED, True)
    return True


def _inside(scope: Scope | None, frame: Frame) -> bool:
    """Return whether a module that opens the scope itself when `frame` is computed again is running."""
    around = scope.running[-1].frame if scope is not None and scope.running else None
    return around is not None and around.held is frame.held


def _held(function: Any, home: str, name: str) -> Any:
    code = getattr(function, "__code__", None)
    if code is None or not function.__qualname__.startswith(home) or name not in code.co_freevars:
        return None
    return function.__closure__[code.co_freevars.index(name)].cell_contents
