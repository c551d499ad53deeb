"""Some rows of a batch, and back to their places: what stochastic depth computes.

Both are linear, each the other's gradient, and no row is taken twice, so that rows are copied where `x[index]` would
add them one by one in backward.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..ops.gradient import shortened


def _taken(x: Tensor, index: Tensor) -> Tensor:
    return x.index_select(0, index)


def _spread(y: Tensor, index: Tensor, size: int) -> Tensor:
    return y.new_zeros(size, *y.shape[1:]).index_copy_(0, index, y)


def _taken_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, index = inputs
    ctx.save_for_backward(index)
    ctx.size = x.shape[0]


def _spread_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _taken_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return spread(grad, ctx.saved_tensors[0], ctx.size), None


def _spread_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return take(grad, ctx.saved_tensors[0]), None, None


_take = shortened(_taken, _taken_setup, _taken_backward, "take")
_put = shortened(_spread, _spread_setup, _spread_backward, "spread")


def take(x: Tensor, index: Tensor) -> Tensor:
    """Return ``x[index]``, rows of x of which none is named twice: [B, ...], [K] -> [K, ...].

    Example:
        >>> import torch
        >>> take(torch.tensor([5.0, 6.0, 7.0]), torch.tensor([2, 0])).tolist()
        [7.0, 5.0]
    """
    found: Tensor = _take(x, index)
    return found


def spread(y: Tensor, index: Tensor, size: int) -> Tensor:
    """Return `size` rows, those of y at `index` and zeros elsewhere: [K, ...], [K] -> [size, ...].

    Example:
        >>> import torch
        >>> spread(torch.tensor([7.0, 5.0]), torch.tensor([2, 0]), 3).tolist()
        [5.0, 0.0, 7.0]
    """
    found: Tensor = _put(y, index, size)
    return found
