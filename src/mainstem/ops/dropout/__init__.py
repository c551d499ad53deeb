"""Dropout whose mask is a function of the counter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...counter import Draw
from ...errors import BadInput
from ..dispatch import choose
from ..gradient import differentiable, transformed
from ..layout import Layout
from ..mask import Mask
from . import cpu, reference


def dropout(
    x: Tensor,
    mask: Mask | None = None,
    *,
    batch_dim: int = 0,
    context: int | None = None,
    impl: str = "auto",
) -> Tensor:
    """Zero the elements of `x` whose 16-bit draw is below the threshold of `mask`, and scale the others.

    y = x * 65536 / (65536 - threshold) where half >= threshold, else exactly 0, for infinity and NaN as well; the
    factor and the product are float32 (float64 where x is), the result has x's dtype. Threshold 0 changes nothing,
    65536 gives 0 everywhere. The mask depends on (seed, step, view, sample, site, position) alone, on no device, no
    number of threads and no split of the batch; backward draws it again and keeps what it is drawn from.

    Args:
        x: floating point, any shape with the samples along `batch_dim`, one for each of `mask.draw.samples`. A sample's
            columns are the last axis and its rows all others; a vector has one element a sample. With `context`, x is
            attention weights [B, H, Q, K], and its rows are numbered as if Q and K were `context`.
        mask: what is drawn from, or None, which changes nothing.
        impl: "auto", "reference", or "cpu" or "triton" (float32 and bfloat16), which agree to the bit.

    Raises:
        BadInput: where samples or axes do not fit, or `impl` cannot take x.

    Source:
        Srivastava et al. 2014, scaled in training; the draw is Salmon et al. 2011 (Philox-4x32-10).

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> from mainstem.counter import Draw
        >>> draw = Draw(key=torch.tensor([0, 1, 0]), samples=torch.arange(2))
        >>> dropout(torch.ones(2, 8), ops.Mask(ops.threshold(0.5), draw, site=3)).unique().tolist()
        [0.0, 2.0]
    """
    if not x.is_floating_point():
        raise BadInput(f"dropout scales what it keeps, so it takes floating point, not {x.dtype}.")
    if mask is None:
        return x
    where = mask.layout(x.shape, batch_dim, context)
    chosen = choose("dropout", impl, x.device.type, x.dtype)
    # A transform of torch.func looks into the reference itself, whose operations it knows.
    function = _apply if chosen == "reference" and transformed() else _differentiable
    return function(x, *mask.flat(), where, chosen)


def _apply(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Layout, impl: str) -> Tensor:
    mask = Mask(threshold, Draw(key, samples), site)  # torch keeps and transforms tensors, not what holds them
    if impl == "triton":
        from . import triton

        return triton.dropout(x, mask, where)
    return (cpu.dropout if impl == "cpu" else reference.dropout)(x, mask, where)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, threshold, key, samples, *ctx.rest = inputs
    ctx.save_for_backward(threshold, key, samples)


def _backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    # The map is linear, and its own transpose: backward is forward. Only a gradient of a gradient needs a graph again.
    again = _differentiable if torch.is_grad_enabled() else _apply
    return again(grads[0], *ctx.saved_tensors, *ctx.rest), None, None, None, None, None, None


_differentiable = differentiable(_apply, _setup, _backward, "dropout")
