"""Normalisation in plain PyTorch: the oracle, and what runs where there is no kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import widened

Angles = tuple[Tensor, Tensor] | None
"""Cosines and sines, both [T, D/2], by which pairs of columns are rotated."""


def normalise(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return x / rms [..., D] and 1 / rms [..., 1] with rms = sqrt(mean(x^2) + eps); float32, or float64 where x is."""
    # Once: a gradient that came through two conversions would be rounded twice.
    wide = widened(x)
    inverse = (wide.square().mean(-1, keepdim=True) + eps).rsqrt()
    return wide * inverse, inverse


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return `x` with its pairs (x_i, x_(i + D/2)) rotated by the angles of each row, [T, D/2]."""
    cosine, sine = cosine.to(x.dtype), sine.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


def rms_norm(x: Tensor, gain: Tensor | None, eps: float, angles: Angles = None) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) * gain, rotated, for any device and dtype; autograd knows its gradient."""
    normed, _ = normalise(x, eps)
    if gain is not None:
        normed = normed * gain.to(normed.dtype)
    return (normed if angles is None else rotate(normed, *angles)).to(x.dtype)


def backward(
    dy: Tensor, x: Tensor, gain: Tensor | None, eps: float, angles: Angles = None
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of `x` and `gain`; autograd knows theirs.

    With n = x / rms and g = dy * gain: dx = (g - n * mean(g n)) / rms, and dgain is dy * n summed over the rows.
    """
    normed, inverse = normalise(x, eps)
    scaled, dgain = dy.to(normed.dtype), None
    if angles is not None:
        scaled = rotate(scaled, angles[0], -angles[1])
    if gain is not None:
        dgain = (scaled * normed).unsqueeze(0).flatten(0, -2).sum(0).to(gain.dtype)
        scaled = scaled * gain.to(normed.dtype)
    dx = (scaled - normed * (scaled * normed).mean(-1, keepdim=True)) * inverse
    return dx.to(x.dtype), dgain
