"""A linear map by the faster of PyTorch's two libraries.

Shapes: N rows, D width, E width of the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import BadInput
from .gradient import observed, plain
from .product import WORTH, onednn, product


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x.flatten(0, -2), weight.t()).view(x.shape[:-1] + weight.shape[:1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy = grads[0].flatten(0, -2)
        dx = product(dy, weight).view(x.shape) if ctx.needs_input_grad[0] else None
        return dx, product(dy.t(), x.flatten(0, -2)) if ctx.needs_input_grad[1] else None


_once = plain(_Linear)


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return x weight^T, by oneDNN where that is faster than `torch.nn.functional.linear`, which it is elsewhere.

    Args:
        x: floating point [..., D];
        weight: [E, D]; the result is [..., E]. The faster one is oneDNN for float32 of some size on processors with
            AVX-512 that are not Intel's, where torch's own takes twice the time. The choice is a function of processor
            and shapes alone. Nothing changes where a compiler or a mode looks on, or under autocast.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> ops.linear(torch.tensor([1.0, 2.0]), torch.eye(2))
        tensor([1., 2.])
    """
    if (
        observed(x, weight) or x.dtype != torch.float32 or weight.dtype != torch.float32 or x.dim() < 2
        or x.device.type != "cpu" or x.numel() * weight.shape[0] < WORTH or not onednn()
        or torch.is_autocast_enabled("cpu")
    ):  # fmt: skip
        return F.linear(x, weight)
    y: Tensor = _once(x, weight)
    return y


def alike(x: Tensor, weights: Iterable[Tensor]) -> None:
    """Raise `BadInput` where `x` is not floating point, or a weight is of another dtype or on another device."""
    weights = list(weights)
    if not x.is_floating_point() or any(w.dtype != x.dtype or w.device != x.device for w in weights):
        raise BadInput(
            f"x is {x.dtype} on {x.device} and the weights are {', '.join(f'{w.dtype} on {w.device}' for w in weights)}"
            ": give all of one floating point dtype on one device."
        )
