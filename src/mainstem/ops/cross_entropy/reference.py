"""Head and cross-entropy in plain PyTorch: the oracle, and what runs where logits are few.

Shapes: N tokens, D width, V words of the vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..precision import exact, widened


class Terms(NamedTuple):
    """What the loss of a token has beside its cross-entropy, and the bound of its logits; 0: none."""

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    confidence: float = 0.0
    soft_cap: float = 0.0


def capped(logits: Tensor, cap: float) -> Tensor:
    """Return cap * tanh(logits / cap), or the logits themselves where the cap is 0.

    Example:
        >>> capped(torch.tensor([-1000.0, 0.0, 30.0]), 30.0)
        tensor([-30.0000,   0.0000,  22.8478])
    """
    return cap * torch.tanh(logits / cap) if cap else logits


def of_logits(logits_NV: Tensor, target_N: Tensor, terms: Terms, ignored: int) -> Tensor:
    """Return the loss of each token [N] from logits that have been bounded."""
    kept_N = target_N != ignored
    log_z_N = logits_NV.logsumexp(1)
    picked_N = logits_NV.gather(1, target_N.where(kept_N, 0).unsqueeze(1)).squeeze(1)
    loss_N = log_z_N - (1.0 - terms.label_smoothing) * picked_N
    if terms.label_smoothing:
        loss_N = loss_N - terms.label_smoothing * logits_NV.mean(1)
    if terms.z_loss:
        loss_N = loss_N + terms.z_loss * log_z_N.square()
    if terms.confidence:  # less the entropy ln Z - sum p z
        loss_N = loss_N - terms.confidence * (log_z_N - (torch.softmax(logits_NV, 1) * logits_NV).sum(1))
    return loss_N.where(kept_N, torch.zeros((), dtype=loss_N.dtype, device=loss_N.device))


@exact
def cross_entropy(x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, terms: Terms, ignored: int) -> Tensor:
    """Return the loss of each token [N] from whole logits; autograd knows its gradient, and that one's."""
    logits_NV = torch.nn.functional.linear(x_ND, weight_VD.to(x_ND.dtype))
    logits_NV = widened(logits_NV)
    return of_logits(capped(logits_NV, terms.soft_cap), target_N, terms, ignored)


@exact
def backward(
    dloss_N: Tensor, x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, terms: Terms, ignored: int
) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and of the weight; autograd knows theirs.

    With p = softmax(z) and its entropy H: dz = dl (p (1 + 2 c ln Z + b (ln p + H)) - s / V - (1 - s) at the target),
    0 where the target is ignored; behind a bound that is times 1 - (z / cap)^2.
    """
    wide = torch.promote_types(x_ND.dtype, torch.float32)
    x, weight = x_ND.to(wide), weight_VD.to(wide)
    logits_NV = capped(torch.nn.functional.linear(x, weight), terms.soft_cap)
    kept_N1 = (target_N != ignored).unsqueeze(1)
    log_z_N1 = logits_NV.logsumexp(1, keepdim=True)
    p_NV = torch.softmax(logits_NV, 1)
    factor = 1.0 + 2.0 * terms.z_loss * log_z_N1
    if terms.confidence:
        factor = factor + terms.confidence * (logits_NV - (p_NV * logits_NV).sum(1, keepdim=True))
    hit = torch.nn.functional.one_hot(target_N.where(kept_N1.squeeze(1), 0), weight.shape[0])
    slope = p_NV * factor - terms.label_smoothing / weight.shape[0] - (1.0 - terms.label_smoothing) * hit
    if terms.soft_cap:
        slope = slope * (1.0 - (logits_NV / terms.soft_cap).square())
    slope = slope * dloss_N.to(wide).unsqueeze(1)
    slope = slope.where(kept_N1, torch.zeros((), dtype=wide, device=x.device))
    return (slope @ weight).to(x_ND.dtype), (slope.t() @ x).to(weight_VD.dtype)
