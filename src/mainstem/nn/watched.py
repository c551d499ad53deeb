"""Whether somebody watches a module, who must then see it called. May import its neighbour `linear`."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as modules

from .linear import Linear


def unwatched(*given: nn.Module | None) -> bool:
    """Return whether nobody has hooks on any of these or on all modules, so that their values may be made otherwise."""
    if modules._has_any_global_hook():
        return False
    for m in given:  # not `any`, whose generator takes as long again as the loop
        if m is not None and (m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks):
            return False
    return True


def plain(*given: nn.Module | None) -> bool:
    """Return whether these are linear maps without a bias that nobody watches, and their weights ordinary tensors."""
    for m in given:
        if type(m) not in (nn.Linear, Linear) or m is None or m._parameters["bias"] is not None:
            return False
        if type(m._parameters["weight"]) is not nn.Parameter:  # sharded, or computed anew at every look
            return False
    return unwatched(*given)
