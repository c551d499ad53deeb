"""Spikes by a percentile of the norms before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.sections import Part, Positive
from .skip import Skip


@dataclass(frozen=True)
class Percentile(Skip):
    """A spike is a norm above factor times a percentile of the norms of the last steps.

    Formula:
        g_t > factor * sorted(g_(t-last), ..., g_(t-1))[ceil(below * last)], counted from 1.

    A norm counts among those before whether its step was left out or not. So of norms that lie within `factor` of one
    another at most last - ceil(below * last) + 1 in a row are left out, however large they are. The first
    ceil(below * last) steps are never left out, as there is no percentile yet.

    Args:
        last: how many norms before the present one it goes by.
        below: the share of them that lies at the percentile or below.
        factor: how many times that norm a spike exceeds.

    Example:
        >>> Percentile(last=4, below=0.5).is_spike(torch.tensor(5.0), torch.tensor([1.0, 2.0, 3.0, 4.0]))
        tensor(True)
    """

    below: Part = 0.95
    factor: Positive = 2.0

    def is_spike(self, norm: Tensor, before: Tensor) -> Tensor:
        place = max(1, math.ceil(self.below * self.last))
        return norm > self.factor * torch.kthvalue(before, place).values
