"""Dropout, the residual sum and the norm behind it, in one pass.

Shapes: B samples, D width, the last axis.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...errors import BadInput
from ..dispatch import choose
from ..layout import Layout
from ..mask import Mask, tensors
from . import cpu, reference


def dropout_add_norm(
    x: Tensor,
    residual: Tensor,
    gain: Tensor | None,
    bias: Tensor | None,
    mask: Mask | None = None,
    *,
    eps: float,
    norm: str = "rms",
    scale: float = 1.0,
    impl: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Add what dropout leaves of `x` to `residual`, and normalise the sum: return (stream, normed).

    stream = residual + scale * dropout(x), rounded once, to residual's dtype; normed = norm(stream) * gain + bias of
    the rounded stream, with norm(s) = s / sqrt(mean(s^2) + eps) for "rms" and (s - mean) / sqrt(var + eps), var biased,
    for "layer". Arithmetic is float32 (float64 in the reference where an array is). What is dropped is that of
    `ops.dropout` with the same mask, bit for bit; backward draws it again.

    Args:
        x, residual: floating point [B, ..., D] of one shape, each of its own dtype; both results have residual's.
        gain, bias: floating point [D], or None for 1 and 0; "rms" has no bias.
        mask: None where nothing is dropped.
        eps: at least 0.
        impl: "auto", "reference", or "cpu" (float32 and bfloat16, D at most 65536). They agree to rounding; "cpu" gives
            the same bits on any number of threads and any instruction set. Backward keeps the stream and one or two
            float32 for each row. A gradient of a gradient goes through the reference.

    Raises:
        BadInput: where shapes do not fit, `norm` is unknown, `eps` or `scale` is not finite, or `impl` cannot take
            these arrays.

    Source:
        Srivastava et al. 2014 (dropout), He et al. 2016 (the sum), Zhang and Sennrich 2019 (1910.07467), equation 4,
        and Ba et al. 2016 (1607.06450), equation 4 (the norms).

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> x, residual = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 2.0]])
        >>> ops.dropout_add_norm(x, residual, None, None, eps=0.0)
        (tensor([[3., 4.]]), tensor([[0.8485, 1.1314]]))
    """
    _check(x, residual, gain, bias, eps, norm, scale)
    where = Layout(1, x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]) if mask is None else mask.layout(x.shape)
    chosen = _choose(impl, x, residual)
    if chosen != "cpu":
        if chosen == "reference":
            return reference.dropout_add_norm(x, residual, gain, bias, mask, where, eps, norm, scale)
        from . import triton

        return triton.dropout_add_norm(x, residual, gain, bias, mask, where, eps, norm, scale)
    gain, bias = (None if part is None else part.to(torch.float32) for part in (gain, bias))
    site = 0 if mask is None else mask.site
    found = cpu.dropout_add_norm(
        x, residual, gain, bias, *tensors(mask), site, where, eps, norm == "layer", scale
    )  # fmt: skip
    return found[0], found[1]


def _choose(impl: str, x: Tensor, residual: Tensor) -> str:
    if x.shape[-1] > cpu.COLUMNS and impl != "reference":
        if impl == "cpu":
            raise BadInput(f"impl 'cpu' of dropout_add_norm takes rows of {cpu.COLUMNS} columns, not {x.shape[-1]}.")
        impl = "reference"
    # Whichever of the two the kernel cannot read decides.
    chosen = choose("dropout_add_norm", impl, x.device.type, x.dtype)
    return chosen if chosen == "reference" else choose("dropout_add_norm", impl, residual.device.type, residual.dtype)


def _check(
    x: Tensor, residual: Tensor, gain: Tensor | None, bias: Tensor | None, eps: float, norm: str, scale: float
) -> None:
    if norm not in ("rms", "layer"):
        raise BadInput(f"norm {norm!r} is unknown: choose rms or layer.")
    if norm == "rms" and bias is not None:
        raise BadInput("A root-mean-square norm has no bias: give None, or choose the norm 'layer'.")
    if not (x.is_floating_point() and residual.is_floating_point()):
        raise BadInput(f"dropout_add_norm takes floating point, not x of {x.dtype} and residual of {residual.dtype}.")
    if x.dim() < 2 or x.shape != residual.shape:
        raise BadInput(
            f"x of shape {list(x.shape)} and residual of shape {list(residual.shape)} must be of one shape [B, ..., D]."
        )
    for name, part in (("gain", gain), ("bias", bias)):
        if part is not None and (part.dim() != 1 or part.shape[0] != x.shape[-1] or not part.is_floating_point()):
            raise BadInput(
                f"{name} is {part.dtype} of shape {list(part.shape)}, and x of shape {list(x.shape)} needs floating "
                f"point of shape [{x.shape[-1]}]: one number for each column."
            )
    if not 0.0 <= eps < math.inf:
        raise BadInput(f"eps {eps} is added to a mean of squares: give a finite number of at least 0.")
    if not math.isfinite(scale):
        raise BadInput(f"scale {scale} multiplies what is added to the stream: give a finite number.")
