"""SwiGLU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .kind import Activation


class SwiGLU(Activation):
    """SiLU(gate) * x, SiLU(z) = z / (1 + exp(-z)).

    Source:
        Shazeer 2020 (2002.05202), equation 5.
        Read: nothing of the original.
        Differs: no.
    """

    name, code, gated = "swiglu", 2, True

    @staticmethod
    def formula(x: Tensor, gate: Tensor | None) -> Tensor:
        assert gate is not None
        return F.silu(gate) * x

    @staticmethod
    def slopes(g: Tensor, x: Tensor, gate: Tensor | None) -> tuple[Tensor, Tensor]:
        assert gate is not None
        s = torch.sigmoid(gate)
        return g * (gate * s), g * x * (s * (gate * (1 - s) + 1))

    @staticmethod
    def pays(dtype: torch.dtype, dropping: bool) -> bool:
        return dtype == torch.float32  # torch's own silu uses fused multiply-add
