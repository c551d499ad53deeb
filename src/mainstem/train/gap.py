"""The generalisation gap: held-out loss minus training loss, both in eval mode, over equally many tokens.

Where the held-out part has more windows than `WINDOWS`, both sides are taken on that many, spread evenly. May import
`data` and `measure`. Shapes: W windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..data.batches import Window, held_out_windows
from ..measure.evaluate import Held, over

WINDOWS = 64
_TOGETHER = 16


def spread(count: int, wanted: int) -> Tensor:
    """Return `wanted` indices below `count`, evenly spread; all of them where there are no more.

    >>> spread(10, 4).tolist()
    [0, 2, 5, 7]
    """
    wanted = min(count, wanted)
    return torch.arange(wanted) * count // max(wanted, 1)


def gap(model: nn.Module, held: Held, train: Any, context: int, **how: Any) -> float:
    """Return ``CE(held-out) - CE(training)`` in nats per token, given the held-out pass."""
    count = min(len(held.nats_W), WINDOWS)
    documents = how.pop("documents", False)
    seen = over(model, training_windows(train, context, count, documents), **how)
    return held.of(spread(len(held.nats_W), count)) - seen.nats_per_token


def training_windows(train: Any, context: int, count: int, documents: bool = False) -> Iterator[Window]:
    """Yield `count` windows of `context` tokens, spread evenly over `train`, several together."""
    available = max(1, (len(train) - 1) // context)
    starts = (spread(available, count) * context).tolist()
    for first in range(0, len(starts), _TOGETHER):
        parts = [train.part(start, min(len(train), start + context + 1)) for start in starts[first : first + _TOGETHER]]
        windows = [window for part in parts for window in held_out_windows(part, context, documents=documents)]
        x, y, ids, weight = zip(*windows, strict=True)
        yield torch.cat(x), torch.cat(y), torch.cat(ids) if documents else None, torch.cat(weight)
