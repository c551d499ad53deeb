"""Keep decisions in plain PyTorch integers: the oracle of every kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from ... import counter
from ..layout import Layout
from ..mask import Mask


def halves(mask: Mask, where: Layout, device: torch.device) -> Tensor:
    """Return the 16-bit draw of each element, int64 [before, batch, between, columns].

    One Philox call makes eight: its 128 bits, little-endian, for eight consecutive columns.
    """
    key, samples = mask.draw.key.to(device), mask.draw.samples.to(device)

    def number(count: int) -> Tensor:
        return torch.arange(count, dtype=torch.int64, device=device)

    within = number(where.between)
    if where.context:
        within = within // where.queries * where.context + within % where.queries
    row = number(where.before)[:, None] * where.between + within
    c0 = row[:, None, :, None] * where.stride() + number(where.groups())
    site_word = torch.full((), mask.site, dtype=torch.int64, device=device)
    words = counter.philox(c0, samples[:, None, None], key[2] << 28 | key[1], site_word, *counter.key_words(key[0]))
    parts = torch.stack([part for word in words for part in (word & 0xFFFF, word >> 16)], dim=-1)
    return parts.flatten(-2)[..., : where.columns]


def keep(mask: Mask, where: Layout, device: torch.device) -> Tensor:
    """Return which elements are kept: half >= threshold, bool [before, batch, between, columns]."""
    return halves(mask, where, device) >= mask.threshold.to(device)


def mask_bits(mask: Mask, where: Layout) -> Tensor:
    """Return the keep decisions eight to a byte, uint8 [before, batch, between, groups]."""
    kept = keep(mask, where, mask.draw.samples.device)
    padded = torch.nn.functional.pad(kept, (0, where.groups() * 8 - where.columns)).unflatten(-1, (where.groups(), 8))
    weights = 1 << torch.arange(8, device=kept.device)
    return (padded * weights).sum(-1).to(torch.uint8)
