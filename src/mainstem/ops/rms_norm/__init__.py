"""Normalisation by the root mean square.

Shapes: D width, the last axis.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...errors import BadInput
from ..dispatch import choose
from ..gradient import differentiable
from . import cpu, reference
from .reference import Angles


def rms_norm(x: Tensor, gain: Tensor | None, eps: float, impl: str = "auto", *, angles: Angles = None) -> Tensor:
    """Divide each row of `x` by its root mean square, and multiply by `gain`.

    y = x / sqrt(mean(x^2) + eps) * gain, the mean over the last axis. Arithmetic is float32 (float64 where x is) and
    rounded once, to x's dtype; gain is not rounded to it. NaN or infinity in a row gives NaN in the same row: in all
    of it, or where x is infinite while its finite elements become 0.

    With `angles`, cosines and sines [T, D/2] of rotary positions, pairs (y_i, y_(i + D/2)) are rotated in the same
    pass, before the rounding: x is [..., T, D] with at most four axes, as heads are, and D even.

    Args:
        x: floating point [..., D].
        gain: floating point [D], or None for 1.
        eps: at least 0; with 0 a row of zeros gives NaN.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16). The implementations add in different orders, so they
            agree to rounding, not to the bit; "cpu" gives the same bits on any number of threads and on any instruction
            set. Backward keeps x and one float32 for each row.

    Raises:
        BadInput: where the shape of `gain` is not [D], x has no axis or whole numbers, `eps` is negative or not finite,
            `angles` do not fit, or `impl` cannot take x.

    Source:
        Zhang and Sennrich 2019 (1910.07467), equation 4; the paper has no eps.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> ops.rms_norm(torch.tensor([[3.0, 4.0]]), torch.tensor([1.0, 2.0]), 0.0)
        tensor([[0.8485, 2.2627]])
    """
    if not x.is_floating_point():
        raise BadInput(f"rms_norm divides, so it takes floating point, not {x.dtype}.")
    if x.dim() == 0:
        raise BadInput("rms_norm goes over the last axis and this tensor has none: give it one of shape [..., D].")
    if gain is not None and (gain.dim() != 1 or gain.shape[0] != x.shape[-1] or not gain.is_floating_point()):
        raise BadInput(
            f"gain is {gain.dtype} of shape {list(gain.shape)}, and x of shape {list(x.shape)} needs floating point "
            f"of shape [{x.shape[-1]}]: one number for each column."
        )
    if not 0.0 <= eps < math.inf:
        raise BadInput(f"eps {eps} is added to a mean of squares: give a finite number of at least 0.")
    if angles is not None:
        _fit(x, angles)
    if choose("rms_norm", impl, x.device.type, x.dtype) == "reference":
        return reference.rms_norm(x, gain, eps, angles)
    cosine, sine = (None, None) if angles is None else angles
    y: Tensor = _differentiable(x, None if gain is None else gain.to(torch.float32), eps, cosine, sine)[0]
    return y


def _fit(x: Tensor, angles: tuple[Tensor, Tensor]) -> None:
    wanted = (x.shape[-2], x.shape[-1] // 2) if 2 <= x.dim() <= 4 and x.shape[-1] % 2 == 0 else None
    for part in angles:
        if part.shape != wanted or part.dtype != torch.float32 or part.requires_grad:
            raise BadInput(
                f"angles are {part.dtype} of shape {list(part.shape)} for x of shape {list(x.shape)}: give float32 "
                "cosines and sines [T, D/2] without a gradient, for x [..., T, D] of two to four axes and an even D."
            )


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, gain, ctx.eps, cosine, sine = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, gain, output[1], cosine, sine)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    x, gain, inverse, cosine, sine = ctx.saved_tensors
    if grads[0] is None:
        return (None,) * 5
    if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
        angles = None if cosine is None else (cosine, sine)
        return *reference.backward(grads[0], x, gain, ctx.eps, angles), None, None, None
    return *cpu.backward(grads[0], x, gain, inverse, cosine, sine), None, None, None


_differentiable = differentiable(cpu.rms_norm, _setup, _backward, "rms_norm")
