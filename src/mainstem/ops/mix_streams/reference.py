"""Streams in plain PyTorch: the oracle, and what runs where there is no kernel.

Shapes: [..., S, D] streams, K = S + 2 weights of each stream.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import exact, widened


@exact
def mix_streams(h: Tensor, weights: Tensor, y: Tensor) -> Tensor:
    """Return weights[t, S + 1] y + sum_s weights[s, 1 + t] h_s."""
    wide, streams = widened(h), h.shape[-2]
    weights = weights.to(wide.dtype)
    mixed = weights[..., 1 : 1 + streams].transpose(-1, -2) @ wide
    return (mixed + weights[..., -1:] * y.to(wide.dtype).unsqueeze(-2)).to(h.dtype)


def read_streams(h: Tensor, weights: Tensor) -> Tensor:
    """Return sum_s weights[s, 0] h_s."""
    wide = widened(h)
    return (weights.to(wide.dtype)[..., :1] * wide).sum(-2).to(h.dtype)


@exact
def weigh_streams(h: Tensor, base: Tensor, project: Tensor, scales: Tensor, eps: float) -> Tensor:
    """Return base + scale tanh(h / rms(h) @ project^T), [..., S, K]; scales[0] for the first S + 1, then scales[1]."""
    wide, streams = widened(h), h.shape[-2]
    inverse = (wide.square().mean(-1, keepdim=True) + eps).rsqrt()
    factor = torch.cat([scales[:1].expand(streams + 1), scales[1:]]).to(wide.dtype)
    return base.to(wide.dtype) + factor * torch.tanh((wide @ project.to(wide.dtype).T) * inverse)


def step_streams(
    h: Tensor, weights: Tensor | None, y: Tensor | None, base: Tensor | None,
    project: Tensor | None, scales: Tensor | None, eps: float,
) -> tuple[Tensor, Tensor | None, Tensor | None]:  # fmt: skip
    """Return the streams after the write, what is read of them, and the weights that it was read with."""
    after = h if weights is None or y is None else mix_streams(h, weights, y)
    if base is None:
        return after, None, None
    out = base if project is None or scales is None else weigh_streams(after, base, project, scales, eps)
    return after, read_streams(after, out), out
