"""Dropout, sum and norm in plain PyTorch: the oracle, and what runs where there is no kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layout import Layout
from ..mask import Mask
from ..mask_bits.reference import keep
from ..precision import widened


def dropped(x: Tensor, mask: Mask | None, where: Layout, scale: float) -> Tensor:
    """Return scale * dropout(x) in float32, or float64 where x is; it is its own transpose."""
    x = widened(x)
    if mask is None:
        return x * scale
    kept = keep(mask, where, x.device).reshape(x.shape)
    factor = scale * mask.scale(x.device)
    return torch.where(kept, x * factor.to(x.dtype), torch.zeros((), dtype=x.dtype, device=x.device))


def normalise(stream: Tensor, eps: float, norm: str) -> tuple[Tensor, Tensor]:
    """Return (s - mean) / root [..., D] and 1 / root [..., 1], in float32 or float64; "rms" takes no mean away."""
    wide = widened(stream)
    if norm == "layer":
        wide = wide - wide.mean(-1, keepdim=True)
    inverse = (wide.square().mean(-1, keepdim=True) + eps).rsqrt()
    return wide * inverse, inverse


def dropout_add_norm(
    x: Tensor,
    residual: Tensor,
    gain: Tensor | None,
    bias: Tensor | None,
    mask: Mask | None,
    where: Layout,
    eps: float,
    norm: str,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Return (stream, normed) for any device and dtype; autograd knows their gradients."""
    wide = torch.promote_types(residual.dtype, torch.promote_types(x.dtype, torch.float32))
    stream = (residual.to(wide) + dropped(x, mask, where, scale)).to(residual.dtype)
    normed, _ = normalise(stream, eps, norm)
    if gain is not None:
        normed = normed * gain.to(normed.dtype)
    if bias is not None:
        normed = normed + bias.to(normed.dtype)
    return stream, normed.to(residual.dtype)


def backward(
    d_stream: Tensor | None,
    d_normed: Tensor,
    stream: Tensor,
    gain: Tensor | None,
    mask: Mask | None,
    where: Layout,
    eps: float,
    norm: str,
    scale: float,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of residual, x (of `dtype`), gain and bias; autograd knows theirs.

    With n = normalise(s) and g = d_normed * gain: ds = d_stream + (g - mean(g) - n * mean(g n)) / root, without
    mean(g) for "rms"; d_residual = ds, d_x = scale * dropout(ds), d_gain and d_bias sum d_normed * n and d_normed.
    """
    normed, inverse = normalise(stream, eps, norm)
    given = d_normed.to(normed.dtype)
    d_gain = (given * normed).flatten(0, -2).sum(0)
    d_bias = given.flatten(0, -2).sum(0)
    if gain is not None:
        given = given * gain.to(normed.dtype)
    inner = given - normed * (given * normed).mean(-1, keepdim=True)
    if norm == "layer":
        inner = inner - given.mean(-1, keepdim=True)
    total = inner * inverse
    if d_stream is not None:
        total = total + d_stream.to(total.dtype)
    return total.to(stream.dtype), dropped(total, mask, where, scale).to(dtype), d_gain, d_bias
