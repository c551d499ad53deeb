"""Activations with dropout in plain PyTorch: the oracle, and what runs where there is no kernel."""

from __future__ import annotations

from torch import Tensor

from ..dropout.reference import dropout
from ..layout import Layout
from ..mask import Mask
from ..precision import widened
from .kind import Activation


def _dropped(x: Tensor, mask: Mask | None, where: Layout | None) -> Tensor:
    return x if mask is None or where is None else dropout(x, mask, where)


def activation(
    x: Tensor, gate: Tensor | None, kind: type[Activation], mask: Mask | None, where: Layout | None
) -> Tensor:
    """Return dropout(phi(x)), for any device and dtype."""
    y = kind.formula(widened(x), None if gate is None else widened(gate))
    return _dropped(y, mask, where).to(x.dtype)


def backward(
    dy: Tensor, x: Tensor, gate: Tensor | None, kind: type[Activation], mask: Mask | None, where: Layout | None
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of `x` and `gate`; autograd knows theirs."""
    g = _dropped(widened(dy), mask, where)
    dx, dgate = kind.slopes(g, widened(x), None if gate is None else widened(gate))
    return dx.to(x.dtype), None if dgate is None else dgate.to(x.dtype)
