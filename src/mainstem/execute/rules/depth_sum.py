"""DenseFormer's sums over depth as a chain, whose gradients are added up once for each array of the history.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from ... import ops
from ...form.denseformer import Average
from ...nn.built import as_built
from ...noise import Dropout
from ...stream import Residual, State, Stream
from ..fused import Fusion, Kept


def depth_sum(here: Residual, then: Residual | Stream | None) -> Fusion | None:
    """Fit every write of `Average`."""
    if not as_built(here.connection, Average):
        return None
    return Fusion(partial(_write, here.connection))


def _write(
    connection: Average, state: State, y_BTD: Tensor, carry: Any, drop: Dropout | None, kept: Kept
) -> tuple[State, None]:
    history, weights = connection.extended(state, y_BTD)
    total_BTD, kept["depth_sum"] = ops.chained_depth_sum(history, weights, kept.get("depth_sum"))
    return State((total_BTD, history), state.side), None
