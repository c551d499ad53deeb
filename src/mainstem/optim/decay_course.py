"""Weight decay over a training."""

from __future__ import annotations

from torch.optim import Optimizer

FULL = "full_decay"
"""Under this name a group has the decay of which a course takes shares."""


def apply(optimizer: Optimizer, share: float) -> None:
    """Set the decay of every group of `optimizer` to `share` of what it was the first time.

    Example:
        >>> import torch
        >>> from mainstem import optim
        >>> optimizer = optim.AdamW([{"params": [torch.ones(2)], "weight_decay": 0.1}], lr=1.0)
        >>> for share in (0.5, 0.25):
        ...     apply(optimizer, share)
        >>> optimizer.param_groups[0]["weight_decay"]
        0.025
    """
    for group in optimizer.param_groups:
        group["weight_decay"] = group.setdefault(FULL, float(group["weight_decay"])) * share
