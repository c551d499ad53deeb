"""Dropout in plain PyTorch: the oracle, and what runs where there is no kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layout import Layout
from ..mask import Mask
from ..mask_bits.reference import keep


def dropout(x: Tensor, mask: Mask, where: Layout) -> Tensor:
    """Return the kept elements of `x` times 65536 / (65536 - threshold), and 0 elsewhere; for any device and dtype."""
    kept, wide = keep(mask, where, x.device).reshape(x.shape), torch.promote_types(x.dtype, torch.float32)
    scaled = (x.to(wide) * mask.scale(x.device).to(wide)).to(x.dtype)
    return torch.where(kept, scaled, torch.zeros((), dtype=x.dtype, device=x.device))
