"""LayerNorm and RMSNorm, over the last axis.

Shapes: D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import ops


class LayerNorm(nn.Module):
    """Layer normalization over the last axis, computed in float32.

    Formula:
        y = (x - mean) / sqrt(var + eps) * gain + bias, var the biased variance

    The textbook's formula has no eps; here it is explicit, inside the root.

    Shapes:
        x, y [..., D]; gain, bias [D]

    Args:
        width: D.
        eps: what is added to the variance.

    Source:
        Ba et al. 2016 (1607.06450), equation 4.
        Read: nothing of the original.
        Differs: eps.

    Example:
        >>> [round(v, 4) for v in LayerNorm(4)(torch.tensor([1.0, 2.0, 3.0, 4.0])).tolist()]
        [-1.3416, -0.4472, 0.4472, 1.3416]
    """

    stem = "norm"

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def roles(self) -> dict[str, str]:
        return {"gain": "norm", "bias": "bias"}

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.gain.shape, self.gain.to(x.dtype), self.bias.to(x.dtype), self.eps)

    def extra_repr(self) -> str:
        return f"{self.gain.numel()}, eps={self.eps:g}"


class RMSNorm(nn.Module):
    """Root mean square normalization over the last axis, computed in float32 and rounded once, to x's dtype.

    Formula:
        y = x / sqrt(mean(x^2) + eps) * gain

    It runs `ops.rms_norm`: the compiled kernel where there is one.

    Shapes:
        x, y [..., D]; gain [D]

    Args:
        width: D.
        eps: what is added to the mean square; the paper has none.

    Source:
        Zhang and Sennrich 2019 (1910.07467), equation 4.
        Read: code of the authors (bzhangGo/rmsnorm).
        Differs: eps stands inside the root, where theirs is added to it.

    Example:
        >>> [round(v, 4) for v in RMSNorm(4)(torch.tensor([1.0, 2.0, 3.0, 4.0])).tolist()]
        [0.3651, 0.7303, 1.0954, 1.4606]
    """

    stem = "norm"

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.gain = nn.Parameter(torch.ones(width))

    def roles(self) -> dict[str, str]:
        return {"gain": "norm"}

    def forward(self, x: Tensor) -> Tensor:
        return ops.rms_norm(x, self.gain, self.eps)

    def extra_repr(self) -> str:
        return f"{self.gain.numel()}, eps={self.eps:g}"


@dataclass(frozen=True)
class NormSpec:
    """A normalisation to be: `NormSpec().build(width)` is a new RMSNorm."""

    kind: type[LayerNorm] | type[RMSNorm] = RMSNorm
    eps: float | None = None

    def build(self, width: int) -> LayerNorm | RMSNorm:
        return self.kind(width) if self.eps is None else self.kind(width, self.eps)
