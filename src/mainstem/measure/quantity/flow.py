"""Gradient and stream by depth."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from .base import Quantity, rms, whole, wide

SLOPE = (0.8, 1.25)
"""Between which factors a layer, on the way back, gradients neither vanish nor explode within a few dozen layers."""


class GradientFlow(Quantity):
    """Root mean square of the loss's gradient after each layer."""

    name = "gradient_flow"
    title = "Gradient by depth"
    unit = "RMS"
    definition = "sqrt(mean((dL/dx_l)^2)) at each stream tap; the slope is that of its log over l"
    source = "Glorot and Bengio 2010; the slope is a least-squares fit"
    cost = "one read of each gradient of the stream"
    wants: ClassVar[frozenset[str]] = frozenset({"gradient"})
    log = True

    def begin(self) -> None:
        super().begin()
        self._numbers: dict[str, int] = {}

    def gradient(self, name: str, gradient: Tensor) -> None:
        # Norms, and what they are over, apart: a state of several tensors has one gradient.
        self.note(name, whole(torch.linalg.vector_norm(gradient.detach(), dtype=wide(gradient))))
        self._numbers[name] = self._numbers.get(name, 0) + gradient.numel()

    def result(self) -> dict[str, float]:
        return {
            name: math.hypot(*torch.stack(values).tolist()) / math.sqrt(max(1, self._numbers[name]))
            for name, values in self._values.items()
            if values
        }


class Stream(Quantity):
    """Root mean square of the stream after each layer."""

    name = "stream"
    title = "Stream by depth"
    unit = "RMS"
    definition = "sqrt(mean(x_l^2)) at each stream tap; growth is its ratio to the first"
    source = "2502.05795"
    cost = "one read of the stream a layer"
    wants: ClassVar[frozenset[str]] = frozenset({"stream"})
    log = True

    def stream(self, name: str, before: list[Tensor], after: list[Tensor]) -> None:
        self.note(name, rms(after))
