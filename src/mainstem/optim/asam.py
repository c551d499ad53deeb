"""Adaptive sharpness-aware minimization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..config.sections import Positive
from . import sharded
from .around import Around


@dataclass(frozen=True)
class ASAM(Around):
    """e = rho * w^2 g / | |w| g |, element by element; the norm is over all parameters that have a gradient.

    A weight moves in proportion to its size, so that scaling one layer up and the next one down, which changes no
    output, changes no step either.

    Source:
        Kwon et al., "ASAM" (arXiv 2102.11600), equation 7, with every normalization operator |w|. The authors' code may
        add a number to |w|, which its examples leave at 0, and moves biases as SAM does.
        Read: code of the authors (SamsungLabs/ASAM).
        Differs: biases move in proportion to their size too.

    Example:
        >>> import torch
        >>> ASAM(0.5).away([torch.tensor([2.0, 0.0])], [torch.tensor([3.0, 5.0])])
        [tensor([1., 0.])]
    """

    rho: Positive = 0.5

    def away(self, params: Sequence[Tensor], grads: Sequence[Tensor]) -> list[Tensor]:
        scaled = [sharded.wide(p.detach()).abs() * sharded.wide(g) for p, g in zip(params, grads, strict=True)]
        share = self.share(sharded.norm(scaled))
        parts = zip(sharded.local_all(p.detach() for p in params), sharded.local_all(scaled), strict=True)
        return [(sharded.wide(w).abs() * s * share.to(s.device, s.dtype)).to(w.dtype) for w, s in parts]
