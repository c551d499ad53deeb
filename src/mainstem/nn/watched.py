"""Whether somebody watches a module, who must then see it called. May import torch only."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as modules


def unwatched(*given: nn.Module) -> bool:
    """Return whether nobody has hooks on any of these or on all modules, so that their values may be made otherwise."""
    return not modules._has_any_global_hook() and not any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks for m in given
    )
