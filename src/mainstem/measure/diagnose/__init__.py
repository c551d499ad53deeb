"""What is wrong with a model, in words: a function for each fault, and this list.

Adding one is a function and one line here, with a model that has the fault and one that has not in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from . import attending, curves, flow, regularization, steps, use, weights, wiring
from .finding import Finding

if TYPE_CHECKING:
    from ..watch import Watch

FAULTS: tuple[Callable[[Watch], Iterator[Finding]], ...] = (
    flow.vanishing, flow.exploding, flow.not_finite, flow.collapse,
    regularization.decayed_gains, regularization.decayed_biases, regularization.coupled_decay,
    regularization.dropout_in_eval, regularization.dropped_twice, regularization.dropped_stream,
    curves.overfitting,
    weights.zero_under_norm, weights.dead_units, weights.updates, weights.saturated,
    attending.sees_its_answer, attending.wrong_axis,
    wiring.unreached, wiring.left_out, wiring.without_residual, wiring.normed_residual,
    wiring.added_twice,
    steps.trained_in_eval, steps.batch_norm_in_eval, steps.never_stepped, steps.never_zeroed,
    use.never_called, use.no_graph, use.shared,
)  # fmt: skip


def diagnose(watch: Watch) -> list[Finding]:
    """Return what is found by any of `FAULTS`, worst first."""
    found = [finding for fault in FAULTS for finding in fault(watch)]
    return sorted(found, key=lambda finding: -finding.weight)


__all__ = ["FAULTS", "Finding", "diagnose"]
