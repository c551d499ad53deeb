"""Rows kept within a norm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..errors import BadInput
from . import sharded
from .after import After
from .direction import Direction, Moved


@dataclass(frozen=True)
class MaxNorm(After):
    """w_i <- w_i * min(1, limit / |w_i|) after each step, for every row i of the matrices that `on` selects.

    A row is what one output unit reads: [rows, columns], or [rows, ...] of a convolution.

    Raises:
        BadInput: where `limit` is not a finite number above 0.

    Source:
        Srivastava et al., "Dropout" (JMLR 2014), section 5.1; it finds limits of 3 to 4 typical.
        Read: quoted.
        Differs: all matrices that `on` selects, and not only those in front of hidden units.

    Example:
        >>> layer = torch.nn.Linear(2, 1, bias=False)
        >>> layer.weight.data = torch.tensor([[3.0, 4.0]])
        >>> layer.weight.grad = torch.zeros(1, 2)
        >>> from mainstem import optim
        >>> optim.SGD(optim.groups(layer, decay=0.0), lr=0.1, after=[MaxNorm(1.0)]).step()
        >>> layer.weight.data
        tensor([[0.6000, 0.8000]])
    """

    limit: float
    on: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise BadInput(f"limit {self.limit} of MaxNorm cannot be used: give a finite number above 0.")

    def __call__(self, moved: Moved, direction: Direction) -> None:
        for p in moved.params:
            w = sharded.whole(sharded.local(p), p)
            rows = sharded.wide(w.flatten(1) if w.ndim > 1 else w.reshape(1, -1))
            norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
            factors = (self.limit / norms).clamp(max=1.0).nan_to_num(nan=1.0)
            kept = (rows * factors).to(w.dtype).view(w.shape)
            sharded.local(p).copy_(sharded.part_of(kept, p))
