"""One forward pass that is measured, and what it has shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from .ops_seen import Dropped
from .quantity import Quantity
from .samples import Samples

INPUT = "input"
"""The tap in front of the first layer."""


@dataclass
class Pass:
    """One measured forward pass and its backward pass."""

    number: int
    quantities: list[Quantity]
    training: bool
    graph: bool
    samples: Samples = field(default_factory=Samples)
    calls: dict[str, int] = field(default_factory=dict)
    backward: bool = False
    dropped: Dropped = field(default_factory=Dropped)
    paths: dict[str, bool] = field(default_factory=dict)
    """Whether the stream can pass each layer; the watch's own, so that each is looked at once."""
    streams: dict[str, list[str]] = field(default_factory=dict)
    """What each layer did to the stream itself: sums, norms and dropouts, in order."""
    inside: dict[str, dict[str, bool]] = field(default_factory=dict)
    """Whether the modules in the branch of each residual of ours add what they are given to what they return."""
    outside: list[str] = field(default_factory=list)
    """The layers whose sum with the stream is made by what calls them."""
    ahead: dict[str, Tensor] = field(default_factory=dict)
    """Whether a position of each attention sees one behind it."""
    wrong_axis: list[str] = field(default_factory=list)
    repeated: str | None = None
    """The block that was called repeatedly, where that was found out in this pass."""
    norms: list[tuple[str, str, Tensor]] = field(default_factory=list)
    """Each norm behind a linear layer, that layer, and whether its weight and what the norm was given are all 0."""

    def wants(self, event: str) -> list[Quantity]:
        """Return the quantities that listen to an event."""
        return [quantity for quantity in self.quantities if event in quantity.wants]
