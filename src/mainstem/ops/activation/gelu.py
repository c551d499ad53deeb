"""GELU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .kind import Activation


class Gelu(Activation):
    """x P(X <= x), X ~ N(0, 1): the exact form, by erf.

    Source:
        Hendrycks and Gimpel 2016 (1606.08415), equation 1.
        Read: code of the authors (hendrycks/GELUs).
        Differs: the exact form, where theirs is its approximation by tanh.
    """

    name, code = "gelu", 0

    @staticmethod
    def formula(x: Tensor, gate: Tensor | None) -> Tensor:
        return F.gelu(x)

    @staticmethod
    def slopes(g: Tensor, x: Tensor, gate: Tensor | None) -> tuple[Tensor, None]:
        slope = 0.5 * torch.erfc(x * -(0.5**0.5)) + x * torch.exp(-0.5 * x.square()) * 0.3989422804014327
        return g * slope, None

    @staticmethod
    def pays(dtype: torch.dtype, dropping: bool) -> bool:
        # torch's own uses fused multiply-add, which the kernel does without to give equal bits everywhere.
        return dtype == torch.float32 and dropping
