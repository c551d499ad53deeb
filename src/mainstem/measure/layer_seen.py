"""What is known of a layer while it runs: which tensors are its stream, and which are what modules in it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

PASSES = frozenset({
    "mul", "mul_", "div", "div_", "relu", "relu_", "dropout", "native_dropout", "clone", "_to_copy", "contiguous",
    "native_layer_norm", "layer_norm", "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm",
    "batch_norm", "_fused_rms_norm", "rms_norm",
})  # fmt: skip
"""Operators after which the stream is still the stream."""

MOST = 7
"""Tensors that are held, so that a sum of them is known."""

_SAME = frozenset({"dropout", "native_dropout", "clone", "_to_copy", "contiguous"})
"""Operators after which each term of a sum is as large as it was."""


@dataclass
class Place:
    """A tensor that is the stream; where branches were added to it, the name of each, the stream and the branch.

    `kind` is what made it of the stream before: NORM, DROPOUT, or anything else.
    """

    tensor: Tensor
    before: Place | None = None
    branches: tuple[tuple[str, Tensor, Tensor], ...] = ()
    kind: str = ""


class Made(NamedTuple):
    """What modules returned, or a sum of that, before it meets the stream: each by its name."""

    tensor: Tensor
    parts: tuple[tuple[str, Tensor], ...]


@dataclass
class Layer:
    places: list[Place] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)

    def find(self, tensor: Any) -> Place | None:
        """Return the newest place that lies where `tensor` does."""
        if not isinstance(tensor, Tensor) or not self.places:
            return None
        lies = lies_at(tensor)
        return next((place for place in reversed(self.places) if lies_at(place.tensor) == lies), None)

    def parts(self, tensor: Any) -> tuple[tuple[str, Tensor], ...]:
        """Return what is known to be summed in `tensor`, none of it the stream."""
        lies = lies_at(tensor) if isinstance(tensor, Tensor) else None
        return next((each.parts for each in reversed(self.made) if lies_at(each.tensor) == lies), ())

    def keep(self, tensor: Tensor, parts: tuple[tuple[str, Tensor], ...]) -> None:
        """Note what is summed in `tensor`."""
        self.made = [*self.made[-MOST:], Made(tensor, parts)]

    def passed(self, operator: str, given: Any, result: Any) -> None:
        """Note what an operator made of something known."""
        if operator == "stack" and isinstance(given, (tuple, list)):
            several = [self.parts(each) for each in given]
            if all(several) and isinstance(result, Tensor):
                self.keep(result, tuple(part for each in several for part in each))
            return
        parts = self.parts(given)
        if not parts or not isinstance(result, Tensor):
            return
        if operator == "sum" and len(parts) > 1 and given.shape[1:] == result.shape and len(given) == len(parts):
            self.keep(result, parts)
        elif operator in PASSES and given.shape == result.shape:
            names = " + ".join(name for name, _ in parts)
            self.keep(result, parts if len(parts) > 1 and operator in _SAME else ((names, result),))


def lies_at(tensor: Tensor) -> tuple[int, int, torch.dtype]:
    """Return by what a tensor is known while it is held: its place in memory, how many numbers it has, and their type.

    Example:
        >>> x = torch.zeros(2, 3)
        >>> lies_at(x) == lies_at(x.view(6)), lies_at(x) == lies_at(x[0])
        (True, False)
    """
    return tensor.data_ptr(), tensor.numel(), tensor.dtype
