"""The L1 penalty. May import torch and this folder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .selection import Selected, selected, total


@dataclass(frozen=True)
class L1(Selected):
    """R(w) = coef * sum|w| over the parameters that `on` selects, a term of the loss; its gradient is coef * sign(w).

    sign(0) = 0. The sum is taken in float32 and a tied tensor counts once. Add it once per optimizer step: where
    gradients accumulate, divide it by the number of micro-batches. As a term of the loss it shrinks weights but makes
    none exactly zero.

    Raises `BadInput` where `on` fits nothing.

    >>> layer = nn.Linear(2, 1)
    >>> _ = layer.weight.data.fill_(-3.0)
    >>> L1(0.5)(layer).item()
    3.0
    """

    def __call__(self, model: nn.Module) -> Tensor:
        return self.coef * total(selected(model, self.on), lambda w: w.abs().sum())
