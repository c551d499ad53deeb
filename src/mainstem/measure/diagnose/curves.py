"""Faults that the losses show over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...wording import several
from .finding import Finding

if TYPE_CHECKING:
    from ..watch import Watch

_EVALUATIONS = 3
_RISE = 0.005
"""Of the size of the loss, which may be negative, as that of a density."""


def overfitting(watch: Watch) -> Iterator[Finding]:
    """Training that has gone on for too long."""
    curves = watch.curves
    if not curves:
        return
    best = min(range(len(curves)), key=lambda index: curves[index][2])
    after = len(curves) - 1 - best
    (step, train, held), (_, train_now, held_now) = curves[best], curves[-1]
    if after >= _EVALUATIONS and train_now < train and held_now - held > _RISE * abs(held):
        words = (
            f"held-out loss rose for {several(after, 'evaluation')} ({held:.4g} to {held_now:.4g}) while "
            "training loss fell "
            f"({train:.4g} to {train_now:.4g}): overfitting began at step {step:,}"
        )
        fix = f"Keep the weights of step {step:,}, and train with more weight decay or dropout, or for fewer epochs."
        yield Finding("overfitting", words, fix, 2)
