"""AdamW, average and norm in plain PyTorch: the oracle, and what runs without a kernel. May import torch only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def adamw(
    weights: Sequence[Tensor], gradients: Sequence[Tensor], means: Sequence[Tensor], squares: Sequence[Tensor],
    averages: Sequence[Tensor], lr: float, beta1: float, beta2: float, eps: float, decay: float, step: float,
    share: float, average_decay: float,
) -> None:  # fmt: skip
    """Do what `ops.adamw` says, for any device and floating dtype."""
    for index, (w, gradient, m, v) in enumerate(zip(weights, gradients, means, squares, strict=True)):
        g = gradient * share
        m.add_(g - m, alpha=1 - beta1)
        v.mul_(beta2).add_(g * g, alpha=1 - beta2)
        denominator = (v.sqrt() / (1 - beta2**step) ** 0.5).add_(eps)
        w.mul_(1 - lr * decay).addcdiv_(m, denominator, value=-lr / (1 - beta1**step))
        if averages:
            averages[index].add_(w.to(averages[index].dtype) - averages[index], alpha=1 - average_decay)


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Return the root of the sum of all squares, float64."""
    if not gradients:
        return torch.zeros((), dtype=torch.float64)
    return torch.stack([g.double().square().sum() for g in gradients]).sum().sqrt()
