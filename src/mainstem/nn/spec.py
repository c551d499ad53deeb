"""A sublayer before it is built: a frozen value that a residual form may still change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, TypeVar

from torch import nn

from ..errors import BadInput

Self = TypeVar("Self", bound="Spec")


class Part(Protocol):
    """A module to be at a point of a sublayer: noise, a norm, a mix of values; a frozen value."""

    def build(self, spec: object) -> nn.Module:
        """Return a new module for the sublayer that `spec` describes."""
        ...


@dataclass(frozen=True)
class Spec:
    """A module to be. Abstract; `kind` says which sublayer of a block it is.

    `points` names where modules may stand inside, and `parts` says which do, in order.
    """

    kind: ClassVar[str]
    points: ClassVar[tuple[str, ...]] = ()

    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict, kw_only=True, hash=False)

    def build(self) -> nn.Module:
        """Return a new module."""
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def having(self: Self, point: str, *parts: Part) -> Self:
        """Return the same sublayer with `parts` at `point` too, behind those that stand there.

        Raises:
            BadInput: it has no such point.

        Example:
            >>> from mainstem import noise
            >>> from mainstem.nn import FeedForwardSpec
            >>> FeedForwardSpec(4, 8).having("out", noise.Bernoulli(0.1, "feedforward.out")).build().out_dropout
            Dropout(p=0.1, inplace=False)
        """
        if point not in self.points:
            raise BadInput(
                f"{type(self).__name__} has no point {point!r} where a module may stand: it has "
                f"{', '.join(self.points) or 'none'}."
            )
        return replace(self, parts={**self.parts, point: (*self.parts.get(point, ()), *parts)})
