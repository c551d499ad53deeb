"""How far predictions are from those of a trained model. Shapes: V words of the vocabulary."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Taught(NamedTuple):
    """What a teacher predicts, the share of the loss that goes by it, and the temperature of both predictions."""

    logits: Tensor
    share: float
    temperature: float = 1.0


def apart(logits: Tensor, taught: Taught) -> Tensor:
    """Return t^2 KL(q | p) with p = softmax(logits / t), q = softmax(taught.logits / t): [..., V] -> [...].

    The factor t^2 keeps gradients at one size whatever the temperature t is.

    Example:
        >>> even, two = torch.zeros(1, 2), torch.tensor([[1.0986123, 0.0]])
        >>> round(apart(even, Taught(two, 0.5)).item(), 6), round(apart(two, Taught(even, 0.5)).item(), 6)
        (0.130812, 0.143841)
    """
    log_p = torch.log_softmax(logits / taught.temperature, -1)
    log_q = torch.log_softmax(taught.logits.to(logits.dtype) / taught.temperature, -1)
    return taught.temperature**2 * (log_q.exp() * (log_q - log_p)).sum(-1)
