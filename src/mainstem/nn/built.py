"""Whether a module is still what it was when it was built, so that a kernel may compute what it computes."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

from torch import nn
from torch.nn.modules import module as modules

from .linear import Linear

Module = TypeVar("Module", bound=nn.Module)

_REPLACED = frozenset({"forward", "read", "write", "open", "close", "run", "output", "draw", "mask", "keep", "angles"})
"""Methods that somebody may have put others in place of, on the one object."""


def as_built(module: object, *kinds: type[Module], holds: tuple[str, ...] = ()) -> TypeGuard[Module]:
    """Return whether `module` is exactly one of `kinds`, and computes what that class does with nobody looking on.

    It has no hooks, and neither have all modules together; no method was replaced on it; it was not compiled by
    itself; and each name in `holds` is a parameter of its own, neither computed (as pruning does) nor sharded. A
    subclass is another kind. It is asked at every forward, because nothing tells when a module changes.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> as_built(layer, nn.Linear, holds=("weight",))
        True
        >>> _ = layer.register_forward_hook(lambda *_: None)
        >>> as_built(layer, nn.Linear, holds=("weight",))
        False
    """
    if type(module) not in kinds or modules._has_any_global_hook():
        return False
    own = module.__dict__
    if (
        own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"] or own["_backward_pre_hooks"]
        or own.get("_compiled_call_impl") is not None
    ):  # fmt: skip
        return False
    # Loops, as a generator costs a call for each name at every forward, and torch 2.10 compiles no `isdisjoint` here.
    for name in _REPLACED:
        if name in own:
            return False
    held = own["_parameters"]
    for name in holds:  # noqa: SIM110
        if type(held.get(name)) is not nn.Parameter:
            return False
    return True


def absent(module: nn.Module | None) -> bool:
    """Return whether there is no module here, or torch's `nn.Identity`, by which people leave one out."""
    return module is None or type(module) is nn.Identity


def plain_linear(module: nn.Module | None, rows: int | None = None) -> bool:
    """Return whether `module` is a linear map as it was built, without a bias, of `rows` outputs where they are given.

    Its weight may then be used without calling it.
    """
    if not as_built(module, Linear, nn.Linear, holds=("weight",)) or module._parameters.get("bias") is not None:
        return False
    return rows is None or module.weight.shape[0] == rows
