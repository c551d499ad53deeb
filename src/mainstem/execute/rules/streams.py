"""Streams that are written, weighed and read for the next sublayer in one pass.

Shapes: B batch, T position, S streams, D width.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from ... import ops
from ...form.hyper import Hyperconnect
from ...nn.built import as_built
from ...noise import Dropout
from ...ops.dispatch import has_kernel
from ...stream import Residual, State, Stream
from ..fused import Fusion, Kept, Read


def streams(here: Residual, then: Residual | Stream | None) -> Fusion | None:
    """Fit a write of a `Hyperconnect` that another one reads."""
    writer, reader = here.connection, then.connection if isinstance(then, Residual) else None
    if not as_built(writer, Hyperconnect) or not as_built(reader, Hyperconnect):
        return None
    return Fusion(partial(_write, writer, reader))


def _write(
    writer: Hyperconnect, reader: Hyperconnect, state: State, y_BTD: Tensor, carry: Any, drop: Dropout | None,
    kept: Kept,
) -> tuple[State, Read | None]:  # fmt: skip
    reading = reader.reading() if has_kernel("mix_streams", state.main) else None
    if reading is None:
        return writer.write(state, y_BTD, carry), None
    main, x_BTD, weights = ops.step_streams(state.main, weights=carry, y_BTD=y_BTD, **reading)
    return State(main, state.side), Read(x_BTD, weights)
