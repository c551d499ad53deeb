"""Spikes by a percentile of the norms before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from ..config.sections import Part, Positive
from .skip import Skip


@dataclass(frozen=True)
class Percentile(Skip):
    """A spike is a norm above factor times a percentile of the norms of the last steps.

    Formula:
        g_t > factor * sorted(g_(t-last), ..., g_(t-1))[ceil(below * last)], counted from 1.

    It is the percentile by nearest rank, the least of these norms at which at least a share `below` of them lies or
    below it: numpy's `inverted_cdf`, where numpy.percentile and torch.quantile by themselves interpolate. The product
    is that of the number as it is written: 0.55 of 100 norms are 55, where floating point makes 56 of it.

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
        place = math.ceil(Fraction(repr(float(self.below))) * self.last)  # the product of floats may lie just above
        return norm > self.factor * torch.kthvalue(before, place).values
