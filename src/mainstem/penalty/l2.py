"""The L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import Penalty


@dataclass(frozen=True)
class L2(Penalty):
    """The L2 penalty, a term of the loss whose gradient grows with the weight.

    Formula:
        R(w) = coef * sum w^2; gradient 2 * coef * w
        prox: w / (1 + 2 * lr * coef / metric)

    There is no factor of one half, so under plain SGD it equals a weight decay of 2 * coef; under momentum or AdamW it
    does not, because its gradient enters the moments. The sum is taken in float32 and a tied tensor counts once. Add it
    once per optimizer step: where gradients accumulate, divide it by the number of micro-batches.

    Source:
        Hoerl and Kennard, "Ridge regression" (1970); the textbook's 7.4.
        Read: textbook.
        Differs: no.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> _ = layer.weight.data.fill_(-3.0)
        >>> L2(0.5)(layer).item()
        9.0
    """

    def of(self, w: Tensor) -> Tensor:
        return w.square().sum()

    def prox(self, v: Tensor, lr: float, metric: Tensor | float = 1.0) -> Tensor:
        return v / (1 + 2 * lr * self.coef / metric)
