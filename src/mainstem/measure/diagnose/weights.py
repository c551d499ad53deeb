"""Faults of weights and units."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...wording import several
from ..quantity.attention import AttentionEntropy, AttentionLogit
from ..quantity.dead import DeadUnits
from ..quantity.update import UpdateRatio
from .finding import Finding, few

if TYPE_CHECKING:
    from ..watch import Watch

_DEAD, _ROWS = DeadUnits.normal[1], 32
_SMALL, _LARGE = UpdateRatio.normal
_LOGIT, _ENTROPY = AttentionLogit.normal[1], AttentionEntropy.normal[0]


def zero_under_norm(watch: Watch) -> Iterator[Finding]:
    """A projection that begins at zero, and a norm that divides by its output."""
    pairs = [(norm, linear) for norm, linear, zero in watch.seen.norms if bool(zero)]
    if pairs:
        words = f"a zero-initialised projection under an output norm: {few([linear for _, linear in pairs])} "
        words += f"feeds {few([norm for norm, _ in pairs])}"
        fix = "The norm's slope at zero is 1/sqrt(eps): initialise the norm's gain with zero instead, not the weight."
        yield Finding("zero under norm", words, fix, 2)


def dead_units(watch: Watch) -> Iterator[Finding]:
    """Units that answer nothing, and so learn nothing."""
    rows = watch.dead_rows
    dead = {name: share for name, share in watch.results.get("dead_units", {}).items()
            if share > _DEAD and rows.get(name, 0) >= _ROWS}  # fmt: skip
    if dead:
        worst = max(dead, key=dead.__getitem__)
        others = f", and more than half of them in {several(len(dead) - 1, 'other place')}" if len(dead) > 1 else ""
        words = f"{dead[worst]:.0%} of the units after `{worst}` were never positive{others}"
        yield Finding("dead units", words, "Lower the learning rate or the bias that holds them down, or use GELU.")


def updates(watch: Watch) -> Iterator[Finding]:
    """Steps that are out of proportion to the weights."""
    # Of a matrix that begins at 0, as LoRA's B, the first steps are no share.
    found = watch.results.get("update_ratio", {}).items()
    ratios = [value for name, value in found if math.isfinite(value) and name not in watch.steps.zeros]
    if not ratios:
        return
    middle = statistics.median(ratios)
    if middle > _LARGE:
        words = f"one step changes a weight matrix by {middle:.2g} of its size (median of {len(ratios)})"
        yield Finding(
            "updates too large", words, f"About 1e-3 is usual: divide the learning rate by {middle / 1e-3:.0f}.", 2
        )
    elif middle < _SMALL and not watch.steps.still:  # a warm-up may begin at a rate of 0
        words = f"one step changes a weight matrix by {middle:.2g} of its size (median of {len(ratios)})"
        yield Finding("updates too small", words, "About 1e-3 is usual: raise the learning rate.", 2)


def saturated(watch: Watch) -> Iterator[Finding]:
    """Attention that looks at one key and no other."""
    logits, entropy = watch.results.get("attention_logit", {}), watch.results.get("attention_entropy", {})
    taps = dict.fromkeys([*logits, *entropy])
    names = [name for name in taps if logits.get(name, 0.0) > _LOGIT or entropy.get(name, 1.0) < _ENTROPY]
    if names:
        worst = max(names, key=lambda name: (logits.get(name, 0.0), -entropy.get(name, 1.0)))
        said = [f"its largest logit is {logits[worst]:.3g}"] if worst in logits else []
        if worst in entropy:
            said.append(f"its entropy {'' if said else 'is '}{entropy[worst]:.2g} of ln keys")
        words = f"attention is saturated in {few(names)}: {', '.join(said)}"
        yield Finding(
            "saturated attention", words, "Normalise queries and keys, or scale logits by 1/sqrt(head width).", 2
        )
