"""Activations with dropout in plain PyTorch: the oracle, and what runs where there is no kernel. May import ops."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dropout.reference import dropout
from ..layout import Layout
from ..mask import Mask

KINDS = ("gelu", "relu2", "swiglu")


def _dropped(x: Tensor, mask: Mask | None, where: Layout | None) -> Tensor:
    return x if mask is None or where is None else dropout(x, mask, where)


def activation(x: Tensor, gate: Tensor | None, kind: str, mask: Mask | None, where: Layout | None) -> Tensor:
    """Return dropout(phi(x)), for any device and dtype."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    if gate is not None:
        y = F.silu(gate.to(wide.dtype)) * wide
    else:
        y = F.gelu(wide) if kind == "gelu" else torch.relu(wide).square()
    return _dropped(y, mask, where).to(x.dtype)


def backward(
    dy: Tensor, x: Tensor, gate: Tensor | None, kind: str, mask: Mask | None, where: Layout | None
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of `x` and `gate`; autograd knows theirs."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    g = _dropped(dy.to(wide.dtype), mask, where)
    if gate is not None:
        by = gate.to(wide.dtype)
        s = torch.sigmoid(by)
        return (g * (by * s)).to(x.dtype), (g * wide * (s * (by * (1 - s) + 1))).to(gate.dtype)
    if kind == "gelu":
        slope = 0.5 * torch.erfc(wide * -(0.5**0.5)) + wide * torch.exp(-0.5 * wide.square()) * 0.3989422804014327
        return (g * slope).to(x.dtype), None
    # Where x <= 0 the slope is 0 even if g is infinite.
    return torch.where(wide <= 0, torch.zeros_like(g), g * (wide + wide)).to(x.dtype), None
