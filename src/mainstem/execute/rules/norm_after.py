"""Norm(alpha x + dropout(F(x))) as one call. Shapes: B batch, T position, D width."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from ...form.post_norm import NormAfter
from ...nn.built import as_built
from ...noise import Dropout
from ...stream import Residual, State, Stream
from ..fused import Fusion, Kept
from .add_norm import Norm, fits, is_norm, summed_and_normed, undropped


def norm_after(here: Residual, then: Residual | Stream | None) -> Fusion | None:
    """Fit every write of `NormAfter`."""
    if not undropped(here) or not as_built(here.connection, NormAfter):
        return None
    norm = here.connection.norm
    return Fusion(partial(_write, here.connection, norm), takes_dropout=True) if is_norm(norm) else None


def _write(
    connection: NormAfter, norm: Norm, state: State, y_BTD: Tensor, carry: Any, drop: Dropout | None, kept: Kept
) -> tuple[State, None]:
    x_BTD = state.main if connection.alpha == 1.0 else connection.alpha * state.main
    if not fits(y_BTD, x_BTD):
        return connection.write(state, y_BTD if drop is None else drop(y_BTD), carry), None
    _, normed_BTD = summed_and_normed(y_BTD, x_BTD, drop, norm)
    return State(normed_BTD, state.side), None
