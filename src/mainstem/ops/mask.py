"""What a mask is drawn from, as every op takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..counter import Draw
from .layout import Layout, layout


class Mask(NamedTuple):
    """What a mask is drawn from: an element is kept where its 16-bit draw is at least `threshold`.

    Args:
        threshold: int64 without axes, from `ops.threshold`.
        draw: key and samples, from the counter.
        site: the word that tells one use of randomness from another, from `counter.site_id`. A noise module gives it
            (`Noise.mask`), and an op that takes None in its place drops nothing.

    Example:
        >>> from mainstem import ops
        >>> mask = Mask(ops.threshold(0.5), Draw(torch.tensor([0, 1, 0]), torch.arange(2)), site=3)
        >>> ops.dropout(torch.ones(2, 8), mask).unique().tolist()
        [0.0, 2.0]
    """

    threshold: Tensor
    draw: Draw
    site: int

    def flat(self) -> tuple[Tensor, Tensor, Tensor, int]:
        """Return threshold, key, samples and site side by side, as operators take them."""
        return self.threshold, self.draw.key, self.draw.samples, self.site

    def layout(self, shape: Sequence[int], batch_dim: int = 0, context: int | None = None) -> Layout:
        """Return how the elements of an array of `shape` are numbered; what does not fit raises `BadInput`."""
        return layout(shape, batch_dim, context, self.draw, self.site)

    def scale(self, device: torch.device) -> Tensor:
        """Return what a kept element is multiplied by, 65536 / (65536 - threshold), float32 without axes."""
        # At 65536 nothing is kept, and the clamp spares the division by zero.
        return 65536.0 / (65536 - self.threshold.to(device)).clamp(min=1).to(torch.float32)


def tensors(mask: Mask | None) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return threshold, key and samples, or three times None where there is no mask."""
    return (None, None, None) if mask is None else (mask.threshold, mask.draw.key, mask.draw.samples)


def from_tensors(threshold: Tensor | None, key: Tensor | None, samples: Tensor | None, site: int) -> Mask | None:
    """Return the mask of which `tensors` gave these."""
    if threshold is None or key is None or samples is None:
        return None
    return Mask(threshold, Draw(key, samples), site)
