"""What passes showed beside numbers, for a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from .passes import Pass
    from .targets_seen import Place

_TARGETS = 64


class Seen:
    """What passes showed beside numbers, over all of them."""

    def __init__(self) -> None:
        self.graph = False
        self.paths: dict[str, bool] = {}
        self.eval_dropout: dict[str, None] = {}
        self.twice: dict[str, None] = {}
        self.again: dict[str, None] = {}
        self.wrong_axis: dict[str, None] = {}
        self.streams: dict[str, list[str]] = {}
        self.inside: dict[str, dict[str, bool]] = {}
        self.ahead: dict[str, Tensor] = {}
        self.targets: dict[Place, list[Tensor]] = {}
        self.shared: dict[str, int] = {}
        self.norms: list[tuple[str, str, Tensor]] = []

    def add(self, record: Pass) -> None:
        """Take in a pass whose forward has ended."""
        self.graph = self.graph or record.graph
        self.twice.update(dict.fromkeys(record.dropped.twice))
        self.again.update(dict.fromkeys(record.dropped.again))
        self.wrong_axis.update(dict.fromkeys(record.wrong_axis))
        self.streams.update(record.streams)
        self.inside.update(record.inside)
        self.ahead.update(record.ahead)
        self.shared.update({name: times for name, times in record.calls.items() if times > 1})
        self.norms = record.norms or self.norms
        if not record.training:
            self.eval_dropout.update(dict.fromkeys(record.dropped.where))

    def repeats(self, block: str) -> None:
        """Forget what was said of layers inside `block`, as its calls are the stream."""
        self.shared = {block: max(self.shared.values(), default=2)}
        self.paths.clear()
        self.streams.clear()

    def target(self, place: Place, counts: Tensor) -> None:
        """Take in how many targets the gradient of an output named, how many were next tokens, and other ones."""
        self.targets[place] = [*self.targets.get(place, [])[1 - _TARGETS :], counts]
