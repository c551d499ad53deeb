"""Faults of the gradient and the stream by depth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ...wording import several
from ..quantity.flow import SLOPE
from ..quantity.rank import COLLAPSED
from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch

_LAYERS = 4
_VANISHED, _EXPLODED = 0.02, 50.0
_JUMP = 3.0
"""How many times as large as any other a step is, in its logarithm, that is a jump."""
_SHRINKS, _GROWS = SLOPE


def vanishing(watch: Watch) -> Iterator[Finding]:
    """Gradients that are lost on the way back."""
    _, ratio, factor, typical, layers = _flow(watch)
    if layers >= _LAYERS and ratio < _VANISHED and max(factor, typical) < _SHRINKS:
        around = [name for name, there in watch.seen.paths.items() if not there]
        why = f"no residual path around {few(around)}" if around else "each layer has a small gain"
        fix = "Add the layer's input to its output (`mainstem.Residual`)" if around else "Scale the initial weights up"
        words = f"gradients shrink {factor:.2g}x a layer over {several(layers, 'layer')}: {why}"
        yield Finding("vanishing gradient", words, f"{fix}, or put a norm before each layer.", 3)


def exploding(watch: Watch) -> Iterator[Finding]:
    """Gradients that grow on the way back."""
    whole, ratio, factor, typical, layers = _flow(watch)
    if layers >= _LAYERS and ratio > _EXPLODED and min(factor, typical) > _GROWS:
        words = f"gradients grow {factor:.3g}x a layer over {several(layers, 'layer')}, {whole:.2g}x in all"
        fix = "Put a norm before each layer, or divide the initial weights of output projections by sqrt(2 * layers)."
        yield Finding("exploding gradient", words, fix, 3)


def not_finite(watch: Watch) -> Iterator[Finding]:
    """Numbers that are none."""
    for name, what in (("stream", "the stream"), ("gradient_flow", "the gradient")):
        broken = [tap for tap, value in watch.results.get(name, {}).items() if not math.isfinite(value)]
        if broken:
            at = broken[0] if name == "stream" else broken[-1]
            words = f"{what} is not finite at {several(len(broken), 'tap')}, `{at}` first"
            yield Finding(
                "not finite", words, "Lower the learning rate, clip gradients, or compute there in float32.", 4
            )
            return


def collapse(watch: Watch) -> Iterator[Finding]:
    """Tokens that have become one another."""
    tokens = watch.tokens
    ranks = list(watch.results.get("effective_rank", {}).items())
    # Of the class's token alone there are as many as samples, which are alike at first.
    ranks = [(tap, rank) for tap, rank in ranks if tokens.get(tap, 0) >= tokens.get(ranks[0][0], 0)]
    if len(ranks) >= _LAYERS and ranks[0][1] > 5 and ranks[-1][1] < COLLAPSED:
        words = f"the stream's effective rank falls from {ranks[0][1]:.3g} to {ranks[-1][1]:.3g} at `{ranks[-1][0]}`"
        yield Finding("rank collapse", words, "Tokens have become alike: add residual paths around attention.", 2)


class _Flow(NamedTuple):
    """The gradient at the first tap over that at the last, and without a single jump; the factor a layer, and layers.

    Behind a small embedding the first norm alone makes the gradient larger: that is a jump.
    """

    whole: float
    ratio: float
    factor: float
    typical: float
    layers: int


def _flow(watch: Watch) -> _Flow:
    """Return the flow of the gradient; `typical` is the median factor."""
    values = [v for v in watch.results.get("gradient_flow", {}).values() if v > 0 and math.isfinite(v)]
    if len(values) < 2 or watch.slope is None:
        return _Flow(1.0, 1.0, 1.0, 1.0, 0)
    steps = [math.log(before / after) for before, after in pairwise(values)]
    *others, jump = sorted(steps, key=abs)
    smooth = sum(others) if others and abs(jump) > _JUMP * abs(others[-1]) else sum(steps)
    whole, ratio = (math.exp(min(logarithm, 700.0)) for logarithm in (sum(steps), smooth))
    return _Flow(whole, ratio, watch.slope, math.exp(statistics.median(steps)), len(values) - 1)
