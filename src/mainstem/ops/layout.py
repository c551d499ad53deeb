"""How the elements of an array are numbered, sample by sample; what does not fit is refused here.

Shapes: B samples, H heads, Q queries, K keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..counter import Draw
from ..errors import BadInput
from ..wording import several

POSITIONS = 1 << 32
"""How many groups of eight columns counter word 0 can number in one sample."""


class Layout(NamedTuple):
    """An array as [before, batch, between, columns]; the rows of a sample are its before * between ones.

    Without `context` row p * between + q is `columns` wide. With it (attention weights, before = 1) q is
    head * queries + query; its row is head * context + query, `context` wide.
    """

    before: int
    batch: int
    between: int
    columns: int
    queries: int = 0
    context: int = 0

    def groups(self) -> int:
        """Groups of eight columns in a row: the number of Philox calls that it takes."""
        return (self.columns + 7) // 8

    def stride(self) -> int:
        """Groups of eight columns in a row as the counter numbers them."""
        return ((self.context or self.columns) + 7) // 8


def threshold(rate: float) -> Tensor:
    """Return floor(65536 * rate + 1/2) as an int64 tensor without axes: a 16-bit half below it is dropped.

    It is data, not a constant, so that a schedule may change it in place without a new compilation. Representable
    rates are k / 65536; a rate below 2^-17 becomes 0.

    Raises:
        BadInput: where `rate` is not in [0, 1].

    Example:
        >>> threshold(0.1)
        tensor(6554)
    """
    if not 0.0 <= rate <= 1.0:
        raise BadInput(f"rate {rate} is not a probability: give a number from 0 to 1.")
    return torch.tensor(int(rate * 65536 + 0.5), dtype=torch.int64)


def layout(shape: Sequence[int], batch_dim: int, context: int | None, draw: Draw, site: int) -> Layout:
    """Return the layout of an array of `shape` whose samples lie along `batch_dim`.

    Raises:
        BadInput: where the number of samples is not that of `draw`, an axis is missing, or a sample has more positions
            than the counter numbers.
    """
    axes = len(shape)
    if not -axes <= batch_dim < axes:
        raise BadInput(f"batch_dim {batch_dim} is not an axis of an array of shape {list(shape)}.")
    axis = batch_dim % axes
    if draw.samples.dim() != 1 or draw.samples.shape[0] != shape[axis]:
        raise BadInput(
            f"axis {axis} of shape {list(shape)} has {several(shape[axis], 'sample')}, but the counter names "
            f"{draw.samples.numel()}: give it one number a sample, or say which axis they lie along with batch_dim."
        )
    if not 0 <= site < 1 << 32:
        raise BadInput(f"site {site} is outside [0, 2^32): use mainstem.counter.site_id.")
    if context is not None:
        found = _attention(shape, axis, context)
    elif axes == 1:
        found = Layout(1, shape[0], 1, 1)
    elif axis == axes - 1:
        raise BadInput(
            f"The samples of shape {list(shape)} lie along its last axis, whose elements are a row's columns: "
            "transpose it, so that batch_dim is another one."
        )
    else:
        found = Layout(_product(shape[:axis]), shape[axis], _product(shape[axis + 1 : -1]), shape[-1])
    heads = found.before * found.between if context is None else shape[1] * context
    if heads * found.stride() > POSITIONS:
        raise BadInput(
            f"A sample of shape {list(shape)}{'' if context is None else f' and context {context}'} takes "
            f"{heads * found.stride()} draws and the counter has room for 2^32: split the array over several sites."
        )
    return found


def _attention(shape: Sequence[int], axis: int, context: int) -> Layout:
    if len(shape) != 4 or axis != 0:
        raise BadInput(f"With context an array is [B, H, Q, K], samples first; this one is {list(shape)}.")
    batch, heads, queries, keys = shape
    if queries > context or keys > context:
        raise BadInput(
            f"{queries} queries and {several(keys, 'key')} are more than the context of {context}: give the larger one."
        )
    # No queries means no elements; 1 keeps the layout whole.
    return Layout(1, batch, heads * queries, keys, max(queries, 1), context)


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result
