"""Stochastic depth's product in plain PyTorch: the oracle. May import its neighbours in ops."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layout import Layout
from ..mask_bits.reference import keep


def scaled(x: Tensor, kept: Tensor, threshold: Tensor) -> Tensor:
    """Return the samples of `x` that are `kept`, bool [B], times 65536 / (65536 - threshold), and 0 for the others."""
    # At 65536 nothing is kept, and the clamp spares the division by zero.
    scale = 65536.0 / (65536 - threshold.to(x.device)).clamp(min=1).to(torch.float32)
    wide = torch.promote_types(x.dtype, torch.float32)
    kept = kept.reshape(-1, *[1] * (x.dim() - 1))
    return torch.where(kept, (x.to(wide) * scale.to(wide)).to(x.dtype), torch.zeros((), dtype=x.dtype, device=x.device))


def drop_path(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Layout) -> Tensor:
    """Return `x` with whole samples dropped, for any device and dtype."""
    return scaled(x, keep(threshold, key, samples, site, where, x.device), threshold)
