"""Values that the attention of one block sends to those of later blocks: two modules for the point `attention.value`.

Shapes: B batch, T position, H heads, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from .context import Context


@dataclass(frozen=True)
class PublishSpec:
    """A `Publish` to be: what flows at its point travels on beside the stream, under `name`."""

    publishes: ClassVar[bool] = True
    """Later layers need what it sends along, so that its branch is not left out for any sample."""

    name: str = "value"

    def build(self, spec: object = None) -> Publish:
        return Publish(self.name)


class Publish(nn.Module):
    """Send x along the stream under a name, for later blocks, and return it: [...] -> [...].

    Example:
        >>> Publish("value")(torch.ones(1))
        (tensor([1.]), {'value': tensor([1.])})
    """

    stem = "publish"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return x, {self.name: x}


@dataclass(frozen=True)
class ValueMixSpec:
    """A `ValueMix` to be: both weights as they begin, and the name under which the first block's values travel."""

    first: float = 0.5
    own: float = 0.5
    name: str = "value"

    def build(self, spec: object = None) -> ValueMix:
        return ValueMix(self.first, self.own, self.name)


class ValueMix(nn.Module):
    """Mix a block's values with those that another one has published, by two learned weights.

    Formula:
        V <- first * V_1 + own * V

    Args:
        first: the weight of the published values at the start.
        own: the weight of the block's own at the start.
        name: under which those were published.

    Example:
        >>> ctx = Context(side={"value": torch.ones(1, 1, 1, 2)})
        >>> ValueMix(0.25, 0.5)(torch.ones(1, 1, 1, 2), ctx).tolist()
        [[[[0.75, 0.75]]]]
    """

    stem = "mix"
    wants_context = True

    def __init__(self, first: float = 0.5, own: float = 0.5, name: str = "value") -> None:
        super().__init__()
        self.first, self.own = (nn.Parameter(torch.tensor([float(start)])) for start in (first, own))
        self.name = name

    def roles(self) -> dict[str, str]:
        return {"first": "mix", "own": "mix"}

    def forward(self, value_BHTK: Tensor, ctx: Context | None = None) -> Tensor:
        published = (Context() if ctx is None else ctx).side[self.name]
        return self.first.to(value_BHTK.dtype) * published + self.own.to(value_BHTK.dtype) * value_BHTK
