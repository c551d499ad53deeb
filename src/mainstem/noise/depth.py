"""Stochastic depth: which samples leave out a branch. May import counter and ops."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .. import ops
from ..counter import WHOLE_BATCH, Draw
from .site import Noise


class StochasticDepth(Noise):
    """Decide, before a branch is computed, for whom it is: `Residual(branch, skip=StochasticDepth(rate))`.

    x + m / (1 - rate) * F(x), m ~ Bernoulli(1 - rate), one m a sample, or one for the whole batch (`per`). What is
    dropped is not computed, so it costs nothing.

    Source: Huang et al. 2016 (1603.09382). The paper does not scale in training but at test time; here kept branches
    are scaled in training, so that evaluation needs no change.

    >>> StochasticDepth(0.25).eval().keep(4) is None
    True
    """

    purpose = "path"
    stem = "skip"

    def __init__(self, rate: float, per: Literal["sample", "batch"] = "sample") -> None:
        super().__init__(rate)
        self.per = per

    def keep(self, num_samples: int) -> tuple[Tensor, Tensor] | None:
        """Return (kept [B] bool, scale of a kept branch), or None where nothing can be dropped."""
        if not self.dropping:
            return None
        draw, site = self.draw(num_samples)
        if self.per == "batch":
            draw = Draw(draw.key, torch.full((1,), WHOLE_BATCH, dtype=torch.int64, device=draw.samples.device))
        bits = ops.mask_bits((len(draw.samples), 1), self.threshold, site=site, draw=draw)
        kept = (bits[:, 0] & 1).bool()
        # At rate 1 nothing is kept, so that the scale is of no consequence; it must only be finite.
        scale = 65536.0 / (65536 - self.threshold).clamp(min=1).to(torch.float32)
        return kept.expand(num_samples), scale

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, per={self.per!r}"


def linear_rates(last: float, num_sublayers: int) -> list[float]:
    """Return the paper's linear rule: r_l = (l / N) * r_max for the N sublayers l = 1..N.

    >>> [round(rate, 4) for rate in linear_rates(0.2, 4)]
    [0.05, 0.1, 0.15, 0.2]
    """
    return [last * (number + 1) / num_sublayers for number in range(num_sublayers)]
