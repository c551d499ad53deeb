"""One update of a model: gradients clipped, a step of the optimizer, and the average of the weights after it.

May import torch and this folder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .. import ops
from .adamw import AdamW
from .along import Along, passes
from .averaging import Average
from .clip import clip
from .muon import Muon


@torch.no_grad()
def update(optimizer: Optimizer, model: nn.Module, max_norm: float = 0.0, average: Average | None = None) -> Tensor:
    """Do what `clip`, ``optimizer.step()`` and ``average.update(model)`` do, and return the norm before clipping.

    On a CPU our AdamW and Muon do all of it in a pass over the gradients and one over everything else, and leave the
    gradients unscaled; any other optimizer is called in three steps. The norm is over the optimizer's parameters.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> net(torch.ones(1)).backward()
    >>> update(AdamW(net.parameters(), lr=0.1), net, max_norm=0.5)
    tensor(1.)
    """
    params = [p for group in optimizer.param_groups for p in group["params"]]
    if not isinstance(optimizer, AdamW | Muon) or not passes(optimizer.param_groups):
        norm = clip(params, max_norm)
        optimizer.step()
        if average is not None:
            average.update(model)
        return norm
    norm = ops.update.norm([p.grad for p in params if p.grad is not None])
    averages, decay = ({}, 0.0) if average is None else (average.held(model), average.coming)
    along = Along(norm, max_norm, averages, decay)
    optimizer.step(along=along)
    if average is not None:
        average.update(model, along.done)
    return norm
