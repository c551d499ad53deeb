"""Activations with the dropout behind them."""

from __future__ import annotations

from torch import Tensor

from ...errors import BadInput
from ..dispatch import choose
from ..mask import Mask
from . import cpu, reference
from .kind import Activation, Kind, named


def activation(
    x: Tensor,
    mask: Mask | None = None,
    *,
    kind: Kind = "gelu",
    gate: Tensor | None = None,
    impl: str = "auto",
) -> Tensor:
    """Return phi(x) with dropout, in one pass forward and one backward.

    gelu: x P(X <= x), X ~ N(0, 1), the exact form; relu2: max(x, 0)^2; swiglu: gate / (1 + exp(-gate)) * x; each
    stands in a file beside this one. What is
    dropped and by what the rest is multiplied is that of `ops.dropout` of the same shape and mask, to the bit.
    Arithmetic is float32 (float64 where x is) and rounded once, to x's dtype. Backward keeps x and gate, and draws
    the mask again; a gradient of a gradient is that of the reference. Mask None means no dropout.

    Args:
        x, gate: floating point [B, ...], of one shape and dtype; the samples lie along the first axis, one per element
            of `mask.draw.samples`.
        kind: a name of the catalogue, or an `Activation`.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16) where the activation has a kernel. "cpu" gives the
            same bits on any number of threads and any instruction set; in float32 gelu and silu are within 5 units in
            the last place, below zero as well.

    Raises:
        BadInput: where `kind` is unknown, `gate` is missing, out of place or of another shape or dtype, `mask` does not
            fit, or `impl` cannot take x.

    Source:
        Hendrycks and Gimpel 2016 (1606.08415), equation 1; So et al. 2021 (2109.08668); Shazeer 2020 (2002.05202),
        equation 5.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> ops.activation(torch.tensor([[-1.0, 3.0]]), kind="relu2")
        tensor([[0., 9.]])
    """
    phi = gated(kind, gate)
    if not x.is_floating_point():
        raise BadInput(f"activation takes floating point, not {x.dtype}.")
    if gate is not None and (gate.shape != x.shape or gate.dtype != x.dtype or gate.device != x.device):
        raise BadInput(
            f"gate is {gate.dtype} of shape {list(gate.shape)} on {gate.device}, and x {x.dtype} of shape "
            f"{list(x.shape)} on {x.device}: give two alike."
        )
    where = None if mask is None else mask.layout(x.shape)
    if chosen(phi, impl, x) == "reference":
        return reference.activation(x, gate, phi, mask, where)
    return cpu.activation(x, gate, phi, mask)


def gated(kind: Kind, gate: Tensor | None) -> type[Activation]:
    """Return the activation that `kind` is or names, or raise `BadInput` where it is unknown or `gate` out of place."""
    phi = named(kind)
    if phi.gated != (gate is not None):
        raise BadInput(f"kind {phi.name!r} {'needs a gate: give' if phi.gated else 'takes no gate: leave out'} gate=.")
    return phi


def chosen(phi: type[Activation], impl: str, x: Tensor) -> str:
    """Return which implementation of `phi` runs for `x`: without a kernel it is the reference."""
    if phi.code is not None:
        return choose("activation", impl, x.device.type, x.dtype)
    if impl not in ("auto", "reference"):
        raise BadInput(f"impl {impl!r}: {phi.name!r} has no kernel, use auto or reference.")
    return "reference"
