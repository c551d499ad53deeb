"""Parameters that cannot learn, and streams that cannot pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from ...wording import several
from ..sums import DROPOUT, NORM, SUM
from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch

_LAYERS = 3


def unreached(watch: Watch) -> Iterator[Finding]:
    """Parameters that the loss does not depend on."""
    if watch.unreached:
        words = f"{several(len(watch.unreached), 'parameter')} without a gradient: {few(watch.unreached)}"
        fix = "The loss does not depend on them: look for a detach or an unused module, or set requires_grad=False."
        yield Finding("no gradient", words, fix, 2)


def left_out(watch: Watch) -> Iterator[Finding]:
    """Parameters that no optimizer has."""
    if not watch.optimizers:
        return
    held = {id(p) for optimizer in watch.optimizers for group in optimizer.param_groups for p in group["params"]}
    names = [name for name, p in watch.model.named_parameters() if p.requires_grad and id(p) not in held]
    if names:
        words = f"{several(len(names), 'parameter')} in no group of the optimizer: {few(names)}"
        yield Finding("not optimized", words, "Give them to it, or set requires_grad=False.", 2)


def without_residual(watch: Watch) -> Iterator[Finding]:
    """A layer that the stream cannot pass, among others that it can."""
    paths = watch.seen.paths
    around = [name for name, there in paths.items() if not there]
    if around and len(paths) >= _LAYERS and 2 * len(around) < len(paths):
        words = f"{few(around)} has no residual path, and {len(paths) - len(around)} other layers have"
        yield Finding("no residual", words, "Add the layer's input to its output (`mainstem.Residual`).", 2)


def normed_residual(watch: Watch) -> Iterator[Finding]:
    """A sum with the input of a branch, which a norm has made, in place of the stream."""
    streams = watch.seen.streams
    names = [name for name, done in streams.items() if _normed([each for each in done if each != DROPOUT])]
    if names == list(streams)[:1]:  # the norm of an embedding may stand in the first layer
        return
    if names:
        words = f"the residual is taken from the normed input in {few(names)}: what is added to is norm(x), and not x"
        fix = "Nothing passes the layers as it is: x + F(norm(x)), or norm(x + F(x)) for post-norm."
        yield Finding("normed residual", words, fix, 2)


def added_twice(watch: Watch) -> Iterator[Finding]:
    """A layer that has a residual of its own, as the branch of another one."""
    names = [f"{name}.{part}" for name, parts in watch.seen.inside.items() if all(parts.values()) for part in parts]
    if names:
        verb = "add" if len(names) > 1 else "adds"
        words = f"{few(names)} {verb} the input to the output, and the residual around adds it once more"
        fix = "Give what is to be added alone, a layer without its own residual, or call it without one around it."
        yield Finding("added twice", words, fix, 2)


def _normed(done: list[str]) -> bool:
    """Return whether a layer adds to what a norm made of the stream, and is none of post-norm's."""
    pairs = list(pairwise(done))
    return SUM in done and (done[0] == NORM or ((NORM, SUM) in pairs and done[-1] != NORM))
