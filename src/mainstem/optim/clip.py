"""Gradients kept within a global norm.

May import torch.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def clip(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients by min(1, max_norm/norm) and return the norm that they had: a 0-d tensor.

    norm is the Euclidean norm over all gradients together. A `max_norm` of 0 only measures. Where the norm is not
    finite nothing is scaled, so that the caller, who sees it in what is returned, finds the gradients as they were.

    Source: Pascanu et al., "On the difficulty of training recurrent neural networks" (arXiv 1211.5063), algorithm 1.

    >>> w = torch.zeros(2, requires_grad=True)
    >>> w.grad = torch.tensor([3.0, 4.0])
    >>> clip([w], 1.0), w.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(grads)
    # Looking at the norm is free on a CPU and saves the pass; elsewhere it would wait for the device.
    if not grads or not max_norm or (norm.device.type == "cpu" and not max_norm < norm < torch.inf):
        return norm
    torch._foreach_mul_(grads, share(norm, max_norm))
    return norm


def share(norm: Tensor, max_norm: float) -> Tensor:
    """Return what gradients of this norm are multiplied by: min(1, max_norm/norm), and 1 where it is not finite."""
    return torch.where(norm.isfinite(), (max_norm / norm).clamp(max=1.0), torch.ones_like(norm))
