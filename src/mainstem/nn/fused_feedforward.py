"""Where parts of a feed-forward sublayer become one call: the whole of it, or the activation with its dropout.

A rule here is asked by the module itself, so that it holds where a module is used alone too. Shapes: B batch, T
position, D width, F hidden width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .. import ops
from ..noise import Dropout
from ..ops.dispatch import computed_dtype, has_kernel
from ..ops.gradient import observed
from . import points
from .built import absent, as_built, plain_linear

if TYPE_CHECKING:
    from .feedforward import FeedForward


def sublayer(part: FeedForward, x_BTD: Tensor) -> Tensor | None:
    """Return what `part` makes of `x_BTD` by `ops.feedforward`; None where it has to take its parts."""
    parts, spec = part._modules, part.spec
    gate = parts.get("gate")
    if (
        x_BTD.dim() < 2
        or not points.quiet(part, part._points)
        or observed(x_BTD)
        or not (absent(parts.get("dropout")) or as_built(parts.get("dropout"), Dropout))
        or not plain_linear(parts.get("input"), spec.hidden)
        or not plain_linear(parts.get("output"))
        or not (plain_linear(gate, spec.hidden) if part.phi.gated else gate is None)
        or not one_call(part, x_BTD.numel() // spec.width * spec.hidden, x_BTD, computed_dtype(x_BTD))
    ):
        return None
    return ops.feedforward(
        x_BTD, part.input.weight, part.output.weight, _mask(part, x_BTD), kind=part.phi,
        gate=None if part.gate is None else part.gate.weight,
    )  # fmt: skip


def activated(part: FeedForward, h_BTF: Tensor, gate_BTF: Tensor | None) -> Tensor | None:
    """Return the activation and its dropout by one `ops.activation`; None where both are to be taken by themselves."""
    drop = part._modules.get("dropout")
    if not (absent(drop) or as_built(drop, Dropout)) or not one_call(part, h_BTF.numel(), h_BTF, h_BTF.dtype):
        return None
    return ops.activation(h_BTF, _mask(part, h_BTF), kind=part.phi, gate=gate_BTF)


def _mask(part: FeedForward, x: Tensor) -> ops.Mask | None:
    drop = part._modules.get("dropout")
    return drop.mask(x.shape[0]) if isinstance(drop, Dropout) else None


def one_call(part: FeedForward, elements: int, like: Tensor, dtype: torch.dtype) -> bool:
    """Return whether `ops.activation` is faster than the activation and the dropout one after the other."""
    # Where an array is small a call costs more than its work, and our op with its gradient costs more than torch's.
    drop, phi = part._modules.get("dropout"), part.phi
    dropping = isinstance(drop, Dropout) and drop.dropping
    # An exporter's number that is any number is not asked, as the answer would be a limit of what it exports.
    small = isinstance(elements, int) and elements < 1 << 15 and not dropping
    worth = phi.code is not None and not small and phi.pays(dtype, dropping)
    return worth and has_kernel("activation", like, dtype)
