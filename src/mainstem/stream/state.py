"""What flows through the depth of a network. May import torch only."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn


class State(NamedTuple):
    """`main` is the stream as its family has it, `side` the named values that travel beside it.

    Both are plain trees of tensors (a tensor, or tuples of them; a dict), so that checkpointing, compilation and
    distribution can look inside. A state is never changed in place.
    """

    main: Any
    side: dict[str, Tensor]


class Normed(State):
    """A state whose `main` was normalised when it was written: `by` a module, to `normed`.

    Any state made of this one is a plain one again, so a changed stream never meets another one's norm.
    """

    by: nn.Module | None = None
    normed: Tensor | None = None

    @classmethod
    def of(cls, main: Tensor, side: dict[str, Tensor], by: nn.Module, normed: Tensor) -> Normed:
        state = cls(main, side)
        state.by, state.normed = by, normed
        return state


class Ahead(State):
    """A state that was read when it was written: `by` a connection, whose `read` returned `found`.

    As of a `Normed` one, any state made of it is a plain one again.
    """

    by: nn.Module | None = None
    found: Any = None

    @classmethod
    def of(cls, main: Any, side: dict[str, Tensor], by: nn.Module, found: Any) -> Ahead:
        state = cls(main, side)
        state.by, state.found = by, found
        return state


def normed_by(state: State, reader: nn.Module) -> Tensor | None:
    """Return the norm of the stream by `reader` or by the module with which it begins, if the write computed it."""
    if not isinstance(state, Normed):
        return None
    return state.normed if state.by is reader or state.by is next(iter(reader._modules.values()), None) else None


def leaves(tree: Any) -> list[Tensor]:
    """Return the tensors of a tree in order.

    >>> import torch
    >>> len(leaves((torch.ones(1), (torch.ones(1), torch.ones(1)))))
    3
    """
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [leaf for name in tree for leaf in leaves(tree[name])]
    return [leaf for part in tree for leaf in leaves(part)]
