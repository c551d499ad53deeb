"""Stochastic depth's product in plain PyTorch: the oracle."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layout import Layout
from ..mask import Mask
from ..mask_bits.reference import keep


def scaled(x: Tensor, kept: Tensor, scale: Tensor) -> Tensor:
    """Return the samples of `x` that are `kept`, bool [B], times `scale`, and 0 for the others."""
    wide = torch.promote_types(x.dtype, torch.float32)
    kept = kept.reshape(-1, *[1] * (x.dim() - 1))
    return torch.where(kept, (x.to(wide) * scale.to(wide)).to(x.dtype), torch.zeros((), dtype=x.dtype, device=x.device))


def drop_path(x: Tensor, mask: Mask, where: Layout) -> Tensor:
    """Return `x` with whole samples dropped, for any device and dtype."""
    return scaled(x, keep(mask, where, x.device), mask.scale(x.device))
