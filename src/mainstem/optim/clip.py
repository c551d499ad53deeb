"""Gradients kept within a global norm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import BadInput
from . import sharded


@torch.no_grad()
def clip(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients by min(1, max_norm/norm) and return the norm that they had: a 0-d tensor.

    norm is the Euclidean norm over all gradients together, on several devices or spread over processes by FSDP2. A
    `max_norm` of 0 only measures. Where the norm is not finite nothing is scaled, so that the caller, who sees it in
    what is returned, finds the gradients as they were.

    Raises:
        BadInput: `max_norm` is negative or no number, or some parameters are on the meta device, and others are not.

    Source:
        Pascanu et al., "On the difficulty of training recurrent neural networks" (arXiv 1211.5063), algorithm 1.

    Example:
        >>> w = torch.zeros(2, requires_grad=True)
        >>> w.grad = torch.tensor([3.0, 4.0])
        >>> clip([w], 1.0), w.grad
        (tensor(5.), tensor([0.6000, 0.8000]))
    """
    check(max_norm)
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = sharded.norm(grads)
    Clip(norm, max_norm).scale(sharded.local_all(grads))
    return norm


def check(max_norm: float) -> None:
    """Raise `BadInput` where gradients cannot be kept within `max_norm`."""
    if not max_norm >= 0:
        raise BadInput(f"max_norm {max_norm} cannot be used: give a number of at least 0, where 0 only measures.")


class Clip(NamedTuple):
    """Gradients of the norm `norm` are to be scaled to at most `max_norm`; 0: they are not.

    Where `looks` is false the norm is not looked at, which would wait for its device.
    """

    norm: Tensor | None = None
    max_norm: float = 0.0
    looks: bool = True

    def scale(self, grads: Sequence[Tensor]) -> None:
        """Scale gradients where they lie."""
        norm = self.norm
        if not grads or norm is None or not self.max_norm:
            return
        # Looking at the norm is free on a CPU and saves the pass; elsewhere it would wait for the device.
        if self.looks and norm.device.type == "cpu" and not self.max_norm < norm < torch.inf:
            return
        factor = share(norm, self.max_norm)
        for device in {grad.device: None for grad in grads}:
            torch._foreach_mul_([grad for grad in grads if grad.device == device], factor.to(device))

    def in_pass(self) -> dict[str, Any]:
        """Return what the passes of `ops.update` take for clipping."""
        return {"norm": self.norm, "max_norm": self.max_norm}


def share(norm: Tensor, max_norm: float) -> Tensor:
    """Return what gradients of this norm are multiplied by: min(1, max_norm/norm), and 1 where it is not finite."""
    return torch.where(norm.isfinite(), (max_norm / norm).clamp(max=1.0), torch.ones_like(norm))
