"""A learned factor on a branch. May import torch only."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """y = a x with one learned number a, or one for each of `width` channels; no weight decay.

    Source: ReZero (2003.04887), equation 5, with a = 0 at the start; LayerScale (2103.17239), equation 4.

    >>> Scale(0.0)(torch.ones(2)).tolist()
    [0.0, 0.0]
    """

    stem = "scale"

    def __init__(self, start: float, width: int | None = None) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((1 if width is None else width,), float(start)))

    def roles(self) -> dict[str, str]:
        return {"factor": "scale"}

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor.to(x.dtype)
