"""x + dropout(F(x)), and the norm with which the next branch begins or the stream closes, as one call.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeGuard

from torch import Tensor, nn

from ... import ops
from ...form.denseformer import AddWithHistory, History
from ...form.post_norm import NormAfter
from ...nn import LayerNorm, RMSNorm
from ...nn.built import absent, as_built
from ...noise import Dropout, StochasticDepth
from ...ops.dispatch import has_kernel
from ...stream import Add, Connection, Replace, Residual, Single, State, Stream
from ..fused import Fusion, Kept, Read

Norm = LayerNorm | RMSNorm


def add_norm(here: Residual, then: Residual | Stream | None) -> Fusion | None:
    """Fit a write as `Add` or `AddWithHistory` have it that is read by a norm of ours."""
    if not undropped(here) or not by(here.connection, "write", Add, AddWithHistory):
        return None
    norm = _norm_of(then)
    return None if norm is None else Fusion(partial(_write, here.connection, norm), takes_dropout=True)


def _norm_of(reader: Residual | Stream | None) -> Norm | None:
    """Return the norm that `reader` takes of the stream as it lies, as the first thing that it does."""
    if isinstance(reader, Stream):
        module = reader._modules.get("norm") if by(reader, "close", Single, History) else None
        return module if is_norm(module) else None
    if reader is None or not undropped(reader):
        return None
    first = next(iter(reader.branch.parts()), None)
    reads = by(reader.connection, "read", Add, Replace, AddWithHistory, NormAfter)
    return first if reads and is_norm(first) else None


def _write(
    connection: Connection, norm: Norm, state: State, y_BTD: Tensor, carry: Any, drop: Dropout | None, kept: Kept
) -> tuple[State, Read | None]:
    x_BTD, *history = state.main if isinstance(connection, AddWithHistory) else (state.main,)
    if not fits(y_BTD, x_BTD):
        return connection.write(state, y_BTD if drop is None else drop(y_BTD), carry), None
    stream_BTD, normed_BTD = summed_and_normed(y_BTD, x_BTD, drop, norm)
    return State((stream_BTD, *history) if history else stream_BTD, state.side), Read(normed_BTD, None, done=1)


def by(part: nn.Module, method: str, *kinds: type[nn.Module]) -> bool:
    """Return whether `part` is as it was built, and its `method` is that of one of `kinds`, whatever its class adds."""
    own = getattr(type(part), method, None)
    return as_built(part, type(part)) and any(own is getattr(kind, method) for kind in kinds)


def undropped(residual: Residual) -> bool:
    """Return whether stochastic depth leaves nothing out of `residual` now."""
    drop_path = residual.drop_path
    return absent(drop_path) or (as_built(drop_path, StochasticDepth) and not drop_path.dropping)


def is_norm(module: nn.Module | None) -> TypeGuard[Norm]:
    return as_built(module, RMSNorm, holds=("gain",)) or as_built(module, LayerNorm, holds=("gain", "bias"))


def fits(y_BTD: Tensor, x_BTD: Tensor) -> bool:
    """Return whether there is a kernel for these arrays; without one the parts are faster by themselves."""
    return y_BTD.shape == x_BTD.shape and all(has_kernel("dropout_add_norm", t) for t in (y_BTD, x_BTD))


def summed_and_normed(y_BTD: Tensor, x_BTD: Tensor, drop: Dropout | None, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the stream x + dropout(y), and its norm."""
    bias = norm.bias if isinstance(norm, LayerNorm) else None
    mask = None if drop is None else drop.mask(y_BTD.shape[0])
    kind = "rms" if bias is None else "layer"
    return ops.dropout_add_norm(y_BTD, x_BTD, norm.gain, bias, mask, eps=norm.eps, norm=kind)
