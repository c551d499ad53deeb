"""Faults of the gradient and the stream by depth. May import its neighbours here."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from ..quantity.flow import SLOPE
from ..quantity.rank import COLLAPSED
from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch

_LAYERS = 4
_VANISHED, _EXPLODED = 0.02, 50.0
_SHRINKS, _GROWS = SLOPE


def vanishing(watch: Watch) -> Iterator[Finding]:
    """Gradients that are lost on the way back."""
    ratio, factor, typical, layers = _flow(watch)
    if layers >= _LAYERS and ratio < _VANISHED and max(factor, typical) < _SHRINKS:
        around = [name for name, there in watch.seen.paths.items() if not there]
        why = f"no residual path around {few(around)}" if around else "each layer has a small gain"
        fix = "Add the layer's input to its output (`mainstem.Residual`)" if around else "Scale the initial weights up"
        words = f"gradients shrink {factor:.2g}x a layer over {layers} layers: {why}"
        yield Finding("vanishing gradient", words, f"{fix}, or put a norm before each layer.", 3)


def exploding(watch: Watch) -> Iterator[Finding]:
    """Gradients that grow on the way back."""
    ratio, factor, typical, layers = _flow(watch)
    if layers >= _LAYERS and ratio > _EXPLODED and min(factor, typical) > _GROWS:
        words = f"gradients grow {factor:.3g}x a layer over {layers} layers, {ratio:.2g}x in all"
        fix = "Put a norm before each layer, or divide the initial weights of output projections by sqrt(2 * layers)."
        yield Finding("exploding gradient", words, fix, 3)


def not_finite(watch: Watch) -> Iterator[Finding]:
    """Numbers that are none."""
    for name, what in (("stream", "the stream"), ("gradient_flow", "the gradient")):
        broken = [tap for tap, value in watch.results.get(name, {}).items() if not math.isfinite(value)]
        if broken:
            at = broken[0] if name == "stream" else broken[-1]
            words = f"{what} is not finite at {len(broken)} taps, `{at}` first"
            yield Finding(
                "not finite", words, "Lower the learning rate, clip gradients, or compute there in float32.", 4
            )
            return


def collapse(watch: Watch) -> Iterator[Finding]:
    """Tokens that have become one another."""
    ranks = list(watch.results.get("effective_rank", {}).items())
    if len(ranks) >= _LAYERS and ranks[0][1] > 5 and ranks[-1][1] < COLLAPSED:
        words = f"the stream's effective rank falls from {ranks[0][1]:.3g} to {ranks[-1][1]:.3g} at `{ranks[-1][0]}`"
        yield Finding("rank collapse", words, "Tokens have become alike: add residual paths around attention.", 2)


def _flow(watch: Watch) -> tuple[float, float, float, int]:
    """Return the gradient at the first tap over that at the last, the factor a layer, the median one, and the layers.

    The median leaves out a single jump: behind a small embedding the first norm alone makes the gradient larger.
    """
    values = [v for v in watch.results.get("gradient_flow", {}).values() if v > 0 and math.isfinite(v)]
    if len(values) < 2 or watch.slope is None:
        return 1.0, 1.0, 1.0, 0
    typical = statistics.median(before / after for before, after in pairwise(values))
    return values[0] / values[-1], watch.slope, typical, len(values) - 1
