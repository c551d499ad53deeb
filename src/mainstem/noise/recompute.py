"""Activation checkpointing that draws the same masks twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint as torch_checkpoint

from .. import counter
from ..counter import Scope


def replay(scope: Scope | None, calls: dict[str, int]) -> contextlib.AbstractContextManager[Scope | None]:
    """Return the scope as it stood when `calls` was noted, for computing something a second time."""
    return counter.enter(None if scope is None else Scope(scope.draw, dict(calls), replay=True))


def checkpoint(function: Callable[..., Any], *args: Any) -> Any:
    """Call ``function(*args)`` without keeping its activations; backward computes them again, with the same masks.

    The counter of the forward pass is carried along, which `torch.utils.checkpoint.checkpoint` does not do: backward
    runs after the ``with`` has closed, or in another thread. So is the state of torch's generators, for what draws
    from those.
    """
    scope = counter.current()
    if torch.compiler.is_compiling() or scope is None:
        # Compiled graphs recompute from tensors; without a scope the seed comes from torch's generator, which
        # torch restores.
        return torch_checkpoint(function, *args, use_reentrant=False)
    calls = dict(scope.calls)
    return torch_checkpoint(
        function,
        *args,
        use_reentrant=False,
        context_fn=lambda: (contextlib.nullcontext(), replay(scope, calls)),
    )
