"""The optimizer's step in terms of the weights, and zeros among them."""

from __future__ import annotations

import statistics
from typing import ClassVar

from torch import Tensor, nn

from .base import Quantity, rms, whole


class UpdateRatio(Quantity):
    """How much of a weight matrix one step of the optimizer changes."""

    name = "update_ratio"
    title = "Update to weight"
    unit = "ratio"
    normal: ClassVar[tuple[float, float]] = (1e-7, 0.1)
    definition = "RMS(w_t+1 - w_t) / RMS(w_t) of each weight matrix, decay included; about 1e-3 is usual"
    source = "the ratio of the norms of an update and of its weight"
    cost = "a copy of the weights and two reads, where it is taken"
    wants: ClassVar[frozenset[str]] = frozenset({"update"})
    by_depth = False
    log = True

    def update(self, name: str, before: Tensor, after: Tensor) -> None:
        self.note(name, rms([after.detach() - before]) / rms([before]).clamp_min(1e-300))


class ZeroWeights(Quantity):
    """The share of exact zeros in each weight matrix."""

    name = "zero_weights"
    title = "Zero weights"
    unit = "share"
    definition = "the share of numbers that are exactly 0 in each weight matrix"
    source = "a plain count"
    cost = "one read of the weights"
    wants: ClassVar[frozenset[str]] = frozenset({"weight"})
    by_depth = False

    def weight(self, name: str, weight: nn.Parameter) -> None:
        self.note(name, whole((weight.detach() == 0).float().mean()))


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of each weight matrix that has a gradient, to be given to `median` after the step."""
    named = model.named_parameters()
    return {name: weight.detach().clone() for name, weight in named if weight.dim() >= 2 and weight.grad is not None}


def median(before: dict[str, Tensor], model: nn.Module) -> float:
    """Return the median of the update-to-weight ratios of the matrices in `before`; nan without one."""
    quantity = UpdateRatio()
    for name, weight in model.named_parameters():
        if name in before:
            quantity.update(name, before[name], weight)
    found = quantity.result()
    return statistics.median(found.values()) if found else float("nan")
