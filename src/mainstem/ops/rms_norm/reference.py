"""Normalisation in plain PyTorch: the oracle, and what runs where there is no kernel. May import torch only."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return x / rms [..., D] and 1 / rms [..., 1] with rms = sqrt(mean(x^2) + eps); float32, or float64 where x is."""
    # Once: a gradient that came through two conversions would be rounded twice.
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    inverse = (wide.square().mean(-1, keepdim=True) + eps).rsqrt()
    return wide * inverse, inverse


def rms_norm(x: Tensor, gain: Tensor | None, eps: float) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) * gain, for any device and dtype; autograd knows its gradient."""
    normed, _ = normalise(x, eps)
    return (normed if gain is None else normed * gain.to(normed.dtype)).to(x.dtype)


def backward(dy: Tensor, x: Tensor, gain: Tensor | None, eps: float) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of `x` and `gain`; autograd knows theirs.

    With n = x / rms and g = dy * gain: dx = (g - n * mean(g n)) / rms, and dgain is dy * n summed over the rows.
    """
    normed, inverse = normalise(x, eps)
    scaled, dgain = dy.to(normed.dtype), None
    if gain is not None:
        dgain = (scaled * normed).unsqueeze(0).flatten(0, -2).sum(0).to(gain.dtype)
        scaled = scaled * gain.to(normed.dtype)
    dx = (scaled - normed * (scaled * normed).mean(-1, keepdim=True)) * inverse
    return dx.to(x.dtype), dgain
