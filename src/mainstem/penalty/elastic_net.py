"""The elastic net: L1 and L2 in one penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ..errors import BadInput
from .base import Penalty, soft


@dataclass(frozen=True)
class ElasticNet(Penalty):
    """The elastic net: L1 and L2 in shares.

    Formula:
        R(w) = coef * (share * sum |w| + (1 - share) * sum w^2)
        prox: soft thresholding by lr * coef * share / metric, then / (1 + 2 * lr * coef * (1 - share) / metric)

    There is no factor of one half before the squares: scikit-learn's alpha and l1_ratio are coef * share = alpha *
    l1_ratio and coef * (1 - share) = alpha * (1 - l1_ratio) / 2.

    Args:
        share: 1 is L1, 0 is L2.

    Raises:
        BadInput: where `share` is not in [0, 1], or `on` fits nothing.

    Source:
        Zou and Hastie, "Regularization and variable selection via the elastic net" (2005), equation 3.
        Read: documentation of scikit-learn.
        Differs: no factor of one half.

    Example:
        >>> import torch
        >>> ElasticNet(5.0, share=0.4).prox(torch.tensor([1.0, -0.1]), lr=0.1)
        tensor([0.5000, 0.0000])
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.share) and 0 <= self.share <= 1):
            raise BadInput(f"share {self.share} of ElasticNet cannot be used: give a number in [0, 1], 1 for L1 alone.")

    def of(self, w: Tensor) -> Tensor:
        return self.share * w.abs().sum() + (1 - self.share) * w.square().sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        ridge = 2 * lr * self.coef * (1 - self.share) / metric
        return soft(v, lr * self.coef * self.share / metric) / (1 + ridge)
