"""What travels along a forward pass beside the stream: an immutable value.

Shapes: B batch, T position, H heads, K head width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..wording import several
from .tally import Tally


class Cache:
    """What modules keep of the positions already seen; for generating one token after another."""

    def __init__(self) -> None:
        self._held: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        self._before: dict[nn.Module, Tensor] = {}
        self._parts: dict[int, Cache] = {}
        self.length = 0

    def extend(self, module: nn.Module, key_BHTK: Tensor, value_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Append new positions to those of `module`, and return all."""
        if module in self._held:
            key, value = self._held[module]
            key_BHTK, value_BHTK = torch.cat((key, key_BHTK), dim=2), torch.cat((value, value_BHTK), dim=2)
        self._held[module] = key_BHTK, value_BHTK
        self.length = key_BHTK.shape[2]
        return key_BHTK, value_BHTK

    def part(self, number: int) -> Cache:
        """Return the cache of one of several networks that see the same tokens, each of them all of its own length."""
        return self._parts.setdefault(number, Cache())

    def preceded(self, module: nn.Module, x_BT: Tensor, count: int) -> Tensor:
        """Return `x_BT`, tokens or what stands for each, behind up to `count` that `module` was given before them."""
        x_BT = torch.cat((self._before.get(module, x_BT[:, :0]), x_BT), dim=1)
        self._before[module] = x_BT[:, max(0, x_BT.shape[1] - count) :]
        return x_BT


@dataclass(frozen=True)
class Context:
    """Positions [T], documents [B, T] (attention stays inside one), a cache, and the named values of the stream.

    `tokens` are those that the embedding was given, and `shown` [B, T] what their rows are multiplied by; 0 hides one.
    `given` are arguments by name for the modules that take them, and `shape` the axes between samples and width as
    somebody's layers have them, who see [B, *shape, D] where the stream is [B, T, D]. A `tally` is told of hidden
    units.

    Raises:
        BadInput: for documents beside a cache, which does not keep of which document its positions are.
    """

    positions: Tensor | None = None
    documents: Tensor | None = None
    cache: Cache | None = None
    tokens: Tensor | None = None
    shown: Tensor | None = None
    side: Mapping[str, Tensor] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] | None = None
    tally: Tally | None = None

    def __post_init__(self) -> None:
        if self.documents is not None and self.cache is not None:
            raise BadInput("A document mask and a key-value cache do not go together: generate within one document.")

    def with_side(self, side: Mapping[str, Tensor]) -> Context:
        return replace(self, side=side) if side else self

    def rows(self, index: Tensor, batch: int) -> Context:
        """Return the context of the samples `index` alone, of `batch`; what has no axis of samples stays whole.

        Raises:
            BadInput: it cannot be told whether the rows of a square matrix beside the stream are samples.
        """
        return replace(
            self,
            documents=None if self.documents is None else self.documents[index],
            tokens=None if self.tokens is None else self.tokens[index],
            shown=None if self.shown is None else self.shown[index],
            tally=None if self.tally is None else self.tally.of_rows(index, batch),
            side={name: _rows(name, value, index, batch) for name, value in self.side.items()},
        )


def _rows(name: str, value: Tensor, index: Tensor, batch: int) -> Tensor:
    if not value.dim() or value.shape[0] != batch:
        return value
    if value.shape == (batch, batch):
        raise BadInput(
            f"{name!r} beside the stream is of shape {list(value.shape)} for {several(batch, 'sample')}, so "
            "that its rows may be "
            "samples or not: give it an axis of samples in front, of 1 where all share it."
        )
    return value[index]
