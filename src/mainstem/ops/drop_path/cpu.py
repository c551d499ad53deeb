"""Stochastic depth's product, its decisions drawn by the compiled kernel. May import its neighbours in ops."""

from __future__ import annotations

from torch import Tensor

from ..layout import Layout
from ..mask_bits import cpu
from .reference import scaled


def drop_path(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Layout) -> Tensor:
    """Return what `reference.drop_path` returns, to the bit."""
    # One draw a sample takes no time to speak of; the product is PyTorch's.
    bits = cpu.mask_bits(threshold, key, samples.to(x.device), site, where)
    return scaled(x, (bits & 1).bool(), threshold)
