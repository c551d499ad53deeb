"""Head and cross-entropy in plain PyTorch: the oracle, and what runs where logits are few. May import torch only.

Shapes: N tokens, D width, V words of the vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, smoothing: float, z_loss: float, ignored: int
) -> Tensor:
    """Return the loss of each token [N] from whole logits; autograd knows its gradient, and that one's."""
    logits_NV = torch.nn.functional.linear(x_ND, weight_VD.to(x_ND.dtype))
    logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
    kept_N = target_N != ignored
    log_z_N = logits_NV.logsumexp(1)
    picked_N = logits_NV.gather(1, target_N.where(kept_N, 0).unsqueeze(1)).squeeze(1)
    loss_N = log_z_N - (1.0 - smoothing) * picked_N
    if smoothing:
        loss_N = loss_N - smoothing * logits_NV.mean(1)
    if z_loss:
        loss_N = loss_N + z_loss * log_z_N.square()
    return loss_N.where(kept_N, torch.zeros((), dtype=loss_N.dtype, device=loss_N.device))


def backward(
    dloss_N: Tensor, x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, smoothing: float, z_loss: float, ignored: int
) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and of the weight; autograd knows theirs.

    With p = softmax(z): dz = dl (p (1 + 2 c ln Z) - s / V - (1 - s) at the target), 0 where the target is ignored.
    """
    wide = torch.promote_types(x_ND.dtype, torch.float32)
    x, weight = x_ND.to(wide), weight_VD.to(wide)
    logits_NV = torch.nn.functional.linear(x, weight)
    kept_N1 = (target_N != ignored).unsqueeze(1)
    log_z_N1 = logits_NV.logsumexp(1, keepdim=True)
    slope = torch.softmax(logits_NV, 1) * (1.0 + 2.0 * z_loss * log_z_N1) - smoothing / weight.shape[0]
    hit = torch.nn.functional.one_hot(target_N.where(kept_N1.squeeze(1), 0), weight.shape[0])
    slope = (slope - (1.0 - smoothing) * hit) * dloss_N.to(wide).unsqueeze(1)
    slope = slope.where(kept_N1, torch.zeros((), dtype=wide, device=x.device))
    return (slope @ weight).to(x_ND.dtype), (slope.t() @ x).to(weight_VD.dtype)
