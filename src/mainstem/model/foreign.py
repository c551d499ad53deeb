"""Somebody's module as a sublayer of a block: how it is called, and what is refused of it.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import inspect
import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..nn import Context, Spec
from ..stream import Residual
from ..stream.branch import sequence_first
from ..stream.calling import called
from ..stream.given import needed, taken, takes
from ..stream.own_sum import WHOLE, adds_input

_ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ForeignSpec(Spec):
    """A module that is there already, in the place of a sublayer to be; `place` is what errors call it.

    `axis` is that of the width in what it takes and returns.
    """

    module: nn.Module
    place: str
    axis: int = -1

    def build(self) -> Foreign:
        return Foreign(self.module, self.place, self.axis)


@dataclass(frozen=True, eq=False)
class ForeignAttention(ForeignSpec):
    """One whose class is called an attention."""

    kind = "attention"


@dataclass(frozen=True, eq=False)
class ForeignFeedForward(ForeignSpec):
    """Any other."""

    kind = "feedforward"


def foreign(module: Any, place: str, axis: int = -1) -> ForeignSpec:
    """Return the spec of somebody's module.

    Raises:
        BadInput: it is no module, cannot be called with x and arguments by name, adds its input to its output, or has
            the sequence in front of the samples.

    Example:
        >>> foreign(nn.Linear(2, 2), "0.0").kind
        'feedforward'
    """
    if not isinstance(module, nn.Module):
        raise BadInput(f"Layer {place} is of type {type(module).__name__}: give a torch.nn.Module.")
    try:
        inspect.signature(module.forward).bind(None, **dict.fromkeys(needed(module)))
    except TypeError as error:
        raise BadInput(
            f"Layer {place}, {type(module).__name__}, cannot be called with x and arguments by name ({error}): give a "
            "module that can, and calls it."
        ) from None
    if sequence_first(module):
        raise BadInput(
            f"Layer {place}, {type(module).__name__}, has the sequence along its first axis, where the stack has the "
            "samples: make it with batch_first=True."
        )
    if isinstance(module, (*WHOLE, Residual)):
        raise BadInput(
            f"Layer {place}, {type(module).__name__}, adds its input to its output itself, and the form would add it "
            "once more: give what it adds as layers, attention and feed-forward, or take mainstem.blocks' layers."
        )
    kind = ForeignAttention if _ATTENTION.search(type(module).__name__) else ForeignFeedForward
    return kind(module, place, axis)


class Foreign(nn.Module):
    """Calls a module with x, and gives back a tensor like x: the first of several, where it returns more.

    The module sees x in the shape that the stack was given, and those of its further arguments that it takes.

    Raises:
        BadInput: what it returns cannot be added to x.
    """

    wants_context = True

    def __init__(self, module: nn.Module, place: str, axis: int = -1) -> None:
        super().__init__()
        self.module, self.place, self.axis = module, place, axis
        self.stem = re.sub(r"\W", "", type(module).__name__.lower())
        self.looked = not place.startswith("0.")
        """Whether it is known what the module does with its input; blocks are alike, so the first tells of all."""

    def takes(self, name: str) -> bool:
        """Return whether the module takes the argument `name`."""
        return takes(self.module, name)

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor:
        ctx = Context() if ctx is None else ctx
        x = x_BTD
        if ctx.shape is not None:
            x = x_BTD.reshape(x_BTD.shape[0], *ctx.shape, x_BTD.shape[-1]).movedim(-1, self.axis)
        given = taken(self.module, ctx.given) if ctx.given else {}
        found = called(self.module, f"Layer {self.place},", x, **given)
        if not (torch.compiler.is_compiling() or self.looked):
            self.looked = True
            if adds_input(self.module, found, [x], given):
                warnings.warn(
                    f"Layer {self.place}, {type(self.module).__name__}, adds its input to its output itself, and the "
                    "form adds it once more: give what it adds as layers, attention and feed-forward",
                    stacklevel=2,
                )
        y = found[0] if isinstance(found, (tuple, list)) and found else found
        if isinstance(y, Tensor) and y.shape == x.shape and y.is_floating_point():
            return y if ctx.shape is None else y.movedim(self.axis, -1).reshape(x_BTD.shape)
        what = f"{y.dtype} {list(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise BadInput(
            f"Layer {self.place}, {type(self.module).__name__}, returned {what}, which cannot be added to the stream "
            f"of shape {list(x.shape)}: give a module that returns a tensor of that shape."
        )

    def extra_repr(self) -> str:
        return self.place
