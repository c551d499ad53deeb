"""Dropout as a module, in place of `torch.nn.Dropout`. May import counter and ops."""

from __future__ import annotations

from torch import Tensor

from .. import ops
from .site import Noise


class Dropout(Noise):
    """Zero each element with probability `rate` in training and scale the others, so that the mean stays.

    y = m * x / (1 - rate), m ~ Bernoulli(1 - rate); in evaluation y = x. Representable rates are k / 2^16; the scale
    is that of the rate really used. `batch_dim` is the axis of the samples. Input and output have any one shape;
    with a `context` they are attention weights [B, H, Q, C], and the row of a mask is head * context + query, so that
    padding changes no mask.

    Source: Srivastava et al. 2014. The textbook's y = x * d leaves out the scale, so that its means in training and
    evaluation differ by the factor 1 - rate.

    >>> import torch
    >>> layer = Dropout(0.5).eval()
    >>> layer(torch.ones(2, 3)).sum().item()
    6.0
    """

    stem = "dropout"

    def __init__(self, rate: float, batch_dim: int = 0, context: int | None = None) -> None:
        super().__init__(rate)
        self.batch_dim, self.context = batch_dim, context

    def forward(self, x: Tensor) -> Tensor:
        if not self.dropping:
            return x
        context = None if self.context is None else max(self.context, x.shape[-1])
        return ops.dropout(x, batch_dim=self.batch_dim, context=context, **self.drawn(x.shape[self.batch_dim]))
