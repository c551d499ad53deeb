"""Dropout of whole channels, and dropout that keeps mean and variance, inside a scope of the counter.

Shapes: N samples, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import ops
from .site import laid_out_as

if TYPE_CHECKING:
    from .functions import Calls

_LOW = 1.7580993408473766
"""What SELU approaches for inputs far below 0, lambda * alpha of Klambauer et al. 2017 (1706.02515), section 2."""


def dropping(alpha: bool, feature: bool, inplace: bool) -> Callable[..., Any]:
    """Return one of torch's six functions ``f(input, p, train)``: alpha, whole features, in place.

    Formula:
        y = m x / (1 - p); with alpha y = a (m x - (1 - m) l + l p), l = 1.758..., a = ((1 + l^2 p) (1 - p))^-1/2

    Source:
        Klambauer et al. 2017 (1706.02515), section 3.
    """

    def drop(call: Calls, input: Tensor, p: float, train: bool) -> Tensor:
        if not train or p == 0 or not input.numel():
            return input
        axis, shape = call.module.place.batch_dim, input.shape
        if feature:
            axis, shape = 0, torch.Size([*shape[:2], *[1] * (input.dim() - 2)])
        ones = torch.ones(shape, dtype=input.dtype, device=input.device)
        flat = ones.flatten(1) if feature else ones
        kept = call.dropped(flat, p, axis, of=input).view(shape)
        y = laid_out_as(input, _alpha(input, kept != 0, int(ops.threshold(p)) / 65536)) if alpha else input * kept
        return input.copy_(y) if inplace else y

    return drop


def _alpha(x: Tensor, kept: Tensor, rate: float) -> Tensor:
    if rate == 1:
        return x * 0
    scale = 1 / math.sqrt((1 + _LOW**2 * rate) * (1 - rate))
    return torch.where(kept, x, -_LOW) * scale + _LOW * scale * rate
