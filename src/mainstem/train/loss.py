"""The loss of a batch and its gradient, in as many pieces as memory allows. May import `counter` and `penalty`.

Shapes: B sequences of a batch, T positions, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import counter
from .device import Forward, Place
from .phases import Phases

Penalty = Callable[[nn.Module], Tensor]
"""What the loss needs of a penalty: a scalar from a model."""


class Batch(NamedTuple):
    """One step's sequences; `slots` are their places in the global batch, which name their masks."""

    x_BT: Tensor
    y_BT: Tensor
    documents_BT: Tensor | None
    slots: Sequence[int]

    def split(self, size: int) -> Iterator[Batch]:
        """Yield the batch in parts of at most `size` sequences; every sequence keeps its slot."""
        for first in range(0, len(self.slots), size):
            part = slice(first, first + size)
            documents = None if self.documents_BT is None else self.documents_BT[part]
            yield Batch(self.x_BT[part], self.y_BT[part], documents, self.slots[part])


def gradient(forward: Forward, batch: Batch, draw: tuple[int, int], size: int, place: Place, phases: Phases) -> Tensor:
    """Add the gradient of the mean cross-entropy to the parameters and return that mean, in nats per token.

    ``loss = sum over parts of CE(part) / tokens of the whole batch``: the same number and the same masks however the
    batch is split into parts of `size`. `draw` is (seed, step). `forward(x, documents, targets_BT=y)` returns the
    sum of the cross-entropies, as `LanguageModel` does.
    """
    seed, step = draw
    tokens = batch.y_BT.numel()
    total: Tensor | None = None
    for part in batch.split(size):
        with counter.counter(seed=seed, step=step, samples=part.slots), place.autocast():
            loss = forward(part.x_BT, part.documents_BT, targets_BT=part.y_BT) / tokens
        phases.mark("forward")
        loss.backward()
        phases.mark("backward")
        total = loss.detach() if total is None else total + loss.detach()
    assert total is not None
    return total


def penalties(terms: Sequence[Penalty], model: nn.Module) -> Tensor | None:
    """Add the gradient of all `terms` once, whatever the parts of the batch, and return their sum; None without any."""
    if not terms:
        return None
    value = torch.stack([term(model) for term in terms]).sum()
    value.backward()
    return value.detach()
