"""The L1 penalty."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import Penalty, soft


@dataclass(frozen=True)
class L1(Penalty):
    """The L1 penalty, whose gradient has one size whatever the weight's.

    Formula:
        R(w) = coef * sum |w|; gradient coef * sign(w), sign(0) = 0
        prox: soft thresholding by lr * coef / metric

    As a term of the loss it shrinks weights but makes none exactly zero; as a proximal step it does. The sum is taken
    in float32 and a tied tensor counts once. Add it once per optimizer step: where gradients accumulate, divide it by
    the number of micro-batches.

    Source:
        Tibshirani, "Regression shrinkage and selection via the lasso" (1996); the textbook's 7.4.
        Read: textbook.
        Differs: no.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> _ = layer.weight.data.fill_(-3.0)
        >>> L1(0.5)(layer).item()
        3.0
        >>> L1(0.5).prox(torch.tensor([1.0, -0.02]), lr=0.1)
        tensor([0.9500, 0.0000])
    """

    def of(self, w: Tensor) -> Tensor:
        return w.abs().sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        return soft(v, lr * self.coef / metric)
