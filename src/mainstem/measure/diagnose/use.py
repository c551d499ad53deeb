"""What keeps a watch from measuring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch


def never_called(watch: Watch) -> Iterator[Finding]:
    """A model that stood still."""
    if watch.record is None:
        words = "the model was never called while it was watched" if not watch.passes else "no pass was due"
        fix = "Call it inside the `with`; a module that is called in its place, or a copy of it, is not seen."
        yield Finding("nothing measured", words, fix, 5)


def no_graph(watch: Watch) -> Iterator[Finding]:
    """Training without gradients."""
    if watch.record is None or not watch.record.training:
        return
    if not watch.seen.graph:
        words = "every pass in training mode ran under no_grad, so there are no gradients"
        yield Finding("no gradients", words, "Leave the no_grad or inference_mode, or call model.eval().", 3)


def shared(watch: Watch) -> Iterator[Finding]:
    """Layers whose numbers stand for several depths."""
    if names := watch.seen.shared:
        words = f"{few(list(names))} ran {max(names.values())} times in one pass: its weights are shared over depth"
        fix = "Each call is a tap of its own (`name#2`); gradients of its weights are sums over all calls."
        yield Finding("shared modules", words, fix, 0)
