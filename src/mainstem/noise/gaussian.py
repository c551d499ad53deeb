"""Gaussian dropout: every element times a normal number around 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .. import counter
from ..errors import BadInput
from .points import axes
from .site import Noise
from .spec import NoiseSpec


@dataclass(frozen=True)
class Gaussian(NoiseSpec):
    """Multiply every element by a normal number of mean 1 and of the variance that dropout at this rate has.

    Formula:
        y = (1 + sqrt(rate / (1 - rate)) e) x, e ~ N(0, 1)

    Nothing becomes 0. The numbers are made in plain PyTorch, four to a draw, so it costs many times what dropout does.

    Raises:
        BadInput: a rate of 1, which has no variance; or a point of queries and keys, where what a pair of positions is
            multiplied by would depend on how many there are.

    Source:
        Srivastava et al. 2014, section 10, with p = 1 - rate.
        Read: nothing of the original.
        Differs: no.

    Example:
        >>> import torch
        >>> from mainstem import noise
        >>> layer = noise.bind(torch.nn.ModuleDict({"a": Gaussian(0.5).build()}))["a"]
        >>> with noise.counter(seed=0, step=0, samples=range(1000)):
        ...     y = layer(torch.ones(1000, 10, 10))
        >>> round(y.mean().item(), 2), round(y.var().item(), 2)
        (1.0, 1.0)
    """

    over: ClassVar[str | None] = None
    how: ClassVar[str] = "scale"

    at: str = "branch"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rates.value >= 1:
            raise BadInput(f"rate {self.rates.value} of Gaussian has no variance: give a number below 1.")
        if "C" in axes(self.at):
            raise BadInput(f"Gaussian does not stand at {self.at}: use attention.heads, or dropout there.")

    def make(self, rate: float, context: int | None) -> Noise:
        return Normal(rate, axes(self.at))


class Normal(Noise):
    """y = (1 + sqrt(rate / (1 - rate)) e) x with normal numbers e.

    Positions are numbered first, so that longer arrays have the same numbers at the positions that both have.

    Example:
        >>> Normal(0.5, "BTD").eval()(torch.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """

    stem = "gaussian"

    def __init__(self, rate: float, axes: str) -> None:
        super().__init__(rate)
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        self.refuse_elsewhere(x)
        mask = self.mask(x.shape[0])
        if mask is None:
            return x
        order = sorted(range(1, x.dim()), key=lambda place: "THKDF".index(self.axes[place]))
        shape = [x.shape[place] for place in order]
        words = counter.words_of(mask.draw, mask.site, math.prod(shape))
        # Between 0 and 1, and neither: with the half 23 bits are all that float32 holds, where of 24 the last were 1.
        uniform = ((words >> 9).to(torch.float32) + 0.5) / 2**23
        normal = math.sqrt(2.0) * torch.erfinv(2.0 * uniform - 1.0)
        back = [0, *(1 + order.index(place) for place in range(1, x.dim()))]
        normal = normal.view(x.shape[0], *shape).permute(back).to(x.device)
        # Of the 16 bits of a rate the largest would be 1, which has no variance.
        rate = mask.threshold.to(x.device).clamp(max=65535).to(torch.float32) / 65536
        factor = 1.0 + (rate / (1.0 - rate)).sqrt() * normal
        return (x * factor.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype)
