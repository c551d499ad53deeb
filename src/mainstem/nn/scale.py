"""Factors on a branch, learned or given, and a number that is added."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """A learned factor on what a sublayer writes, for all channels or for each; not decayed.

    Formula:
        y = a x

    Shapes:
        x, y [..., D]; a [1] or [D]

    Args:
        start: a at the start.
        width: D, for a factor of each channel; None: one for all.

    Source:
        ReZero, Bachlechner et al. 2020 (2003.04887), equation 5, where a starts at 0; LayerScale, Touvron et al. 2021
        (2103.17239), equation 4.

    Example:
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


class Shift(nn.Module):
    """A learned number that is added, one for all channels; not decayed.

    Formula:
        y = x + b

    Shapes:
        x, y [..., D]; b [1]

    Source:
        Fixup, Zhang et al. 2019 (1901.09321), section 3: a scalar bias, 0 at the start.

    Example:
        >>> Shift()(torch.ones(2)).tolist()
        [1.0, 1.0]
    """

    stem = "shift"

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def roles(self) -> dict[str, str]:
        return {"bias": "bias"}

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.to(x.dtype)


@dataclass(frozen=True)
class ShiftSpec:
    """A `Shift` to be, at a point of a sublayer."""

    def build(self, spec: object = None) -> Shift:
        return Shift()


class Factor(nn.Module):
    """A factor that is given and not learned.

    Formula:
        y = c x

    Args:
        factor: c.

    Example:
        >>> Factor(0.5)(torch.ones(2)).tolist()
        [0.5, 0.5]
    """

    stem = "factor"

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x

    def extra_repr(self) -> str:
        return f"{self.factor:g}"
