"""The L2 penalty. May import torch and this folder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .selection import Selected, selected, total


@dataclass(frozen=True)
class L2(Selected):
    """R(w) = coef * sum w^2 over the parameters that `on` selects, a term of the loss; its gradient is 2 * coef * w.

    There is no factor of one half, so under plain SGD it equals a weight decay of 2 * coef; under momentum or AdamW
    it does not, because its gradient enters the moments. The sum is taken in float32 and a tied tensor counts once.
    Add it once per optimizer step: where gradients accumulate, divide it by the number of micro-batches.

    Raises `BadInput` where `on` fits nothing.

    >>> layer = nn.Linear(2, 1)
    >>> _ = layer.weight.data.fill_(-3.0)
    >>> L2(0.5)(layer).item()
    9.0
    """

    def __call__(self, model: nn.Module) -> Tensor:
        return self.coef * total(selected(model, self.on), lambda w: w.square().sum())
