"""Weights before and after the steps of optimizers, of which a model may have several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .quantity import Quantity


class Updates:
    """Tells a quantity how the step of each optimizer has changed its own weights.

    Args:
        weights: the matrices of a model, by name.
    """

    def __init__(self, weights: Sequence[tuple[str, nn.Parameter]]) -> None:
        self._weights = weights
        self._before: dict[str, Tensor] = {}

    def begin(self, optimizer: torch.optim.Optimizer, quantity: Quantity) -> None:
        """Copy what `optimizer` is about to change, where `quantity` has no number of it yet."""
        self._before.clear()
        new = [(name, weight) for name, weight in self._weights if weight.grad is not None and not quantity.has(name)]
        if new:
            held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
            self._before = {name: weight.detach().clone() for name, weight in new if id(weight) in held}

    def end(self, quantity: Quantity) -> None:
        """Tell `quantity` what the step has changed."""
        for name, weight in self._weights:
            if name in self._before:
                quantity.update(name, self._before.pop(name), weight)

    def clear(self) -> None:
        """Let go of the copies."""
        self._before.clear()
