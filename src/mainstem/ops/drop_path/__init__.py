"""Stochastic depth's product: whole samples dropped or scaled."""

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


def drop_path(x: Tensor, mask: Mask | None = None, *, impl: str = "auto") -> Tensor:
    """Zero whole samples of `x` and scale the others: y_b = x_b * 65536 / (65536 - threshold) where kept, else 0.

    A sample has one draw, that of `ops.mask_bits((B, 1), ...)`, so that the decisions are those of
    `noise.StochasticDepth` at the same site. What is dropped is exactly 0, for infinity and NaN as well; factor and
    product are float32 (float64 where x is), the result has x's dtype. Backward draws again.

    Args:
        x: floating point [B, ...], one sample per element of `mask.draw.samples`.
        mask: what is drawn from, or None, which changes nothing.
        impl: "auto", "reference", or "cpu" or "triton" (float32 and bfloat16), which agree to the bit.

    Raises:
        BadInput: where x has no samples axis or another number of samples than `mask`, or `impl` cannot take x.

    Source:
        Huang et al. 2016 (1603.09382), scaled in training, where the paper scales at test time.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> from mainstem.counter import Draw
        >>> draw = Draw(key=torch.tensor([0, 1, 0]), samples=torch.arange(6))
        >>> drop_path(torch.ones(6, 2), ops.Mask(ops.threshold(0.5), draw, site=3)).unique().tolist()
        [0.0, 2.0]
    """
    if not x.is_floating_point() or not x.dim():
        raise BadInput(f"drop_path takes floating point [B, ...], not {x.dtype} of shape {list(x.shape)}.")
    if mask is None:
        return x
    where = mask.layout((x.shape[0], 1))
    chosen = choose("drop_path", impl, x.device.type, x.dtype)
    # A transform of torch.func looks into the reference itself, whose operations it knows.
    function = _apply if chosen == "reference" and transformed() else _differentiable
    return function(x, *mask.flat(), where, chosen)


def _apply(x: Tensor, threshold: Tensor, key: Tensor, samples: Tensor, site: int, where: Layout, impl: str) -> Tensor:
    mask = Mask(threshold, Draw(key, samples), site)  # torch keeps and transforms tensors, not what holds them
    if impl == "triton":
        from . import triton

        return triton.drop_path(x, mask, where)
    return (cpu.drop_path if impl == "cpu" else reference.drop_path)(x, mask, where)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, threshold, key, samples, *ctx.rest = inputs
    ctx.save_for_backward(threshold, key, samples)


def _backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    # The map is linear, and its own transpose: backward is forward. Only a gradient of a gradient needs a graph again.
    again = _differentiable if torch.is_grad_enabled() else _apply
    return again(grads[0], *ctx.saved_tensors, *ctx.rest), *(None,) * 6


_differentiable = differentiable(_apply, _setup, _backward, "drop_path")
