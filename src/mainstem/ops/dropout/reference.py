"""Dropout in plain PyTorch: the oracle, and what runs where there is no kernel. May import counter, ops.mask_bits."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layout import Layout
from ..mask_bits.reference import keep


def dropout(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Layout) -> Tensor:
    """Return the kept elements of `x` times 65536 / (65536 - threshold), and 0 elsewhere; for any device and dtype."""
    kept = keep(threshold, key, samples, site, where, x.device).reshape(x.shape)
    threshold = threshold.to(x.device)
    # At 65536 nothing is kept, and the clamp spares the division by zero.
    scale = 65536.0 / (65536 - threshold).clamp(min=1).to(torch.float32)
    wide = torch.promote_types(x.dtype, torch.float32)
    return torch.where(kept, (x.to(wide) * scale.to(wide)).to(x.dtype), torch.zeros((), dtype=x.dtype, device=x.device))
