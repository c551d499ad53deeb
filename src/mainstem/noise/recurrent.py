"""Dropout between the layers of torch's recurrent networks, inside a scope of the counter.

Shapes: B samples, T positions, D width, N rows of a packed sequence: those of all samples that reach a position, side
by side, the longest sample first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

if TYPE_CHECKING:
    from .functions import Calls


def order(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """Return which sample is the longest, the second, ... in the packed sequence that a module is called with."""
    given = args[0] if args else kwargs.get("input")
    return given.sorted_indices if isinstance(given, PackedSequence) else None


def layers(call: Calls, *args: Any, **kwargs: Any) -> Any:
    """Compute ``torch.lstm(...)``, or one of its kind, layer by layer, and drop between layers by the counter."""
    if len(args) != 9 or kwargs:
        return NotImplemented
    packed = isinstance(args[3], (list, tuple))
    if packed:
        x, sizes, start, weights, biased, count, rate, training, both = args
    else:
        x, start, weights, biased, count, rate, training, both, first = args
    if not training or rate == 0 or count == 1:
        return NotImplemented
    starts = start if isinstance(start, (list, tuple)) else (start,)
    ways, each = 2 if both else 1, len(weights) // count
    ends = []
    for layer in range(count):
        if layer:
            x = _packed(call, x, sizes, rate) if packed else call.dropped(x, rate, 0 if first else 1)
        own = tuple(each_start[layer * ways : (layer + 1) * ways] for each_start in starts)
        begin = own if isinstance(start, (list, tuple)) else own[0]
        rest = (weights[layer * each : (layer + 1) * each], biased, 1, 0.0, training, both)
        x, *end = call.func(x, sizes, begin, *rest) if packed else call.func(x, begin, *rest, first)
        ends.append(end)
    return (x, *(torch.cat(parts) for parts in zip(*ends, strict=True)))


def _packed(call: Calls, x_ND: Tensor, sizes: Tensor, rate: float) -> Tensor:
    """Return dropout of packed rows, with the masks that the same samples have side by side, [B, T, D]."""
    batch, steps = int(sizes[0]), len(sizes)
    ones = torch.ones(batch, steps, x_ND.shape[1], dtype=x_ND.dtype, device=x_ND.device)
    kept_BTD = call.dropped(ones, rate, 0)
    rank = torch.cat([torch.arange(int(size)) for size in sizes])
    step = torch.arange(steps).repeat_interleave(sizes)
    sample = rank if call.order is None else call.order.cpu()[rank]
    return x_ND * kept_BTD[sample.to(x_ND.device), step.to(x_ND.device)]
