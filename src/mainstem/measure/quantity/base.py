"""What a quantity is: numbers by tap, taken in hooks."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class Quantity:
    """One thing that is measured. Each class says what it is and implements the events in its `wants`; the rest cost
    nothing.

    Numbers stay tensors on their device until `result` is asked, so that a GPU is never waited for.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str]
    definition: ClassVar[str]
    source: ClassVar[str]
    cost: ClassVar[str]
    wants: ClassVar[frozenset[str]]
    """Of stream, gradient, branch, ops, linear, update, weight."""
    by_depth: ClassVar[bool] = True
    log: ClassVar[bool] = False
    normal: ClassVar[tuple[float, float] | None] = None
    """Between which numbers nothing is to be looked into; None where no number says that something is wrong."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the last pass."""
        self._values: dict[str, list[Tensor]] = {}

    def expect(self, name: str) -> None:
        """Give the tap `name` its place in the order, before its numbers come (backward brings the last ones first)."""
        self._values.setdefault(name, [])

    def note(self, name: str, value: Tensor) -> None:
        """Keep a number of the tap `name`."""
        self._values.setdefault(name, []).append(value.detach())

    def has(self, name: str) -> bool:
        """Return whether the tap `name` has a number."""
        return bool(self._values.get(name))

    @property
    def measured(self) -> bool:
        """Whether any tap has a number; no number is looked at."""
        return any(self._values.values())

    def result(self) -> dict[str, float]:
        """Return the numbers of this pass by tap, in order; where a tap has several, their mean."""
        # Metal has no float64, so that numbers leave the device first.
        return {name: float(torch.stack(values).cpu().double().mean()) for name, values in self._values.items()
                if values}  # fmt: skip

    def stream(self, name: str, before: list[Tensor], after: list[Tensor]) -> None:
        """Take what a layer was given and what it returned. Depth 0 is the input of the first: `before` is empty."""

    def gradient(self, name: str, gradient: Tensor) -> None:
        """Take the loss's gradient with respect to the stream after a layer."""

    def branch(self, name: str, stream: list[Tensor], output: list[Tensor]) -> None:
        """Take what a branch returned, and the stream that it is added to."""

    def logits(self, name: str, logits: Tensor) -> None:
        """Take attention logits before the softmax, [..., queries, keys], masked ones -inf."""

    def activation(self, name: str, output: Tensor) -> None:
        """Take what an activation function returned."""

    def linear(self, name: str, x: Tensor, gradient: Tensor) -> None:
        """Take the input of a linear layer and the gradient of its output, both with an axis of samples in front.

        Layers that share a weight have one `name`.
        """

    def weight(self, name: str, weight: nn.Parameter) -> None:
        """Take a weight matrix as it is after the pass."""

    def update(self, name: str, before: Tensor, after: Tensor) -> None:
        """Take a weight matrix before and after the optimizer's step."""


def rms(values: list[Tensor]) -> Tensor:
    """Return ``sqrt(mean(x^2))`` over all numbers, summed where nothing of 1e-30 is lost."""
    norms = [whole(torch.linalg.vector_norm(part.detach(), dtype=wide(part))) for part in values]
    number = sum(part.numel() for part in values)
    norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
    return norm / max(1, number) ** 0.5


def whole(number: Any) -> Tensor:
    """Return a number of all of a tensor, which may be spread over processes."""
    found: Tensor = number.full_tensor() if hasattr(number, "full_tensor") else number
    return found


def wide(values: Tensor) -> torch.dtype:
    """Return the widest type of float there is on the tensor's device: Metal has no float64."""
    return torch.float32 if values.device.type == "mps" else torch.float64


def rows(values: Tensor, most: int = 256) -> Tensor:
    """Return a matrix of at most `most` rows, spread evenly: tokens [..., D], or images [B, C, H, W] by their means.

    Example:
        >>> rows(torch.zeros(2, 300, 8)).shape, rows(torch.zeros(4, 3, 5, 5)).shape
        (torch.Size([256, 8]), torch.Size([4, 3]))
    """
    values = values.detach()
    flat = (
        values.flatten(2).mean(2) if values.dim() == 4 else values.flatten(0, -2) if values.dim() > 1 else values[None]
    )
    if len(flat) > most:
        flat = flat[torch.arange(most, device=flat.device) * (len(flat) - 1) // (most - 1)]
    return flat.float() if flat.dtype != torch.float64 else flat
