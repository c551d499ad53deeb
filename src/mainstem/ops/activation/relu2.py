"""The squared ReLU."""

from __future__ import annotations

import torch
from torch import Tensor

from .kind import Activation


class ReLU2(Activation):
    """max(x, 0)^2.

    From y = s max(x, 0)^2, s the dropout's factor, dx = 2 dy sqrt(s y): y is 0 where something was dropped, so that
    nothing is drawn and x need not be kept. Where x^2 is below the smallest float32, |x| < 1e-22, the slope is 0.

    Source:
        So et al. 2021 (2109.08668).
        Read: nothing of the original.
        Differs: no.
    """

    name, code, code_of_result = "relu2", 1, 3

    @staticmethod
    def formula(x: Tensor, gate: Tensor | None) -> Tensor:
        return torch.relu(x).square()

    @staticmethod
    def slopes(g: Tensor, x: Tensor, gate: Tensor | None) -> tuple[Tensor, None]:
        # Where x <= 0 the slope is 0 even if g is infinite.
        return torch.where(x <= 0, torch.zeros_like(g), g * (x + x)), None
