"""Somebody's module as a sublayer of a block: how it is called, and what is refused of it. May import nn.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Spec

_ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ForeignSpec(Spec):
    """A module that is there already, in the place of a sublayer to be; `place` is what errors call it."""

    module: nn.Module
    place: str

    def build(self) -> Foreign:
        return Foreign(self.module, self.place)


@dataclass(frozen=True, eq=False)
class ForeignAttention(ForeignSpec):
    """One whose class is called an attention."""

    kind = "attention"


@dataclass(frozen=True, eq=False)
class ForeignFeedForward(ForeignSpec):
    """Any other."""

    kind = "feedforward"


def foreign(module: Any, place: str) -> ForeignSpec:
    """Return the spec of somebody's module.

    Raises:
        BadInput: it is no module, or needs more than x.

    Example:
        >>> foreign(nn.Linear(2, 2), "0.0").kind
        'feedforward'
    """
    if not isinstance(module, nn.Module):
        raise BadInput(f"layer {place} is of type {type(module).__name__}: give a torch.nn.Module")
    try:
        inspect.signature(module.forward).bind(None)
    except TypeError as error:
        raise BadInput(
            f"layer {place}, {type(module).__name__}, cannot be called with x alone ({error}): give a module that does "
            "so and calls it"
        ) from None
    kind = ForeignAttention if _ATTENTION.search(type(module).__name__) else ForeignFeedForward
    return kind(module, place)


class Foreign(nn.Module):
    """Calls a module with x, and gives back a tensor like x: the first of several, where it returns more.

    Raises:
        BadInput: what it returns cannot be added to x.
    """

    def __init__(self, module: nn.Module, place: str) -> None:
        super().__init__()
        self.module, self.place = module, place
        self.stem = re.sub(r"\W", "", type(module).__name__.lower())

    def forward(self, x_BTD: Tensor) -> Tensor:
        found = self.module(x_BTD)
        y_BTD = found[0] if isinstance(found, (tuple, list)) and found else found
        if isinstance(y_BTD, Tensor) and y_BTD.shape == x_BTD.shape and y_BTD.is_floating_point():
            return y_BTD
        what = f"{y_BTD.dtype} {list(y_BTD.shape)}" if isinstance(y_BTD, Tensor) else type(y_BTD).__name__
        raise BadInput(
            f"layer {self.place}, {type(self.module).__name__}, returned {what}, which cannot be added to the stream "
            f"of shape {list(x_BTD.shape)}: give a module that returns a tensor of that shape"
        )

    def extra_repr(self) -> str:
        return self.place
