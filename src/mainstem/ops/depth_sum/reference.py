"""A weighted sum of arrays in plain PyTorch: the oracle, and what runs where there is no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def depth_sum(arrays: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Return sum_j weights[j] arrays[j], the last one first and then from 0 on; autograd knows its gradient."""
    wide = torch.promote_types(arrays[-1].dtype, torch.float32)
    factors = weights.to(wide).unbind()
    total = arrays[-1].to(wide) * factors[-1]
    for array, factor in zip(arrays[:-1], factors[:-1], strict=True):
        total = total + array.to(wide) * factor
    return total.to(arrays[-1].dtype)
