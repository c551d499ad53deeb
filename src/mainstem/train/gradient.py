"""The loss of a batch and its gradient, in as many pieces as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from .. import counter
from .batch import Batch
from .device import Forward, Place
from .phases import Phases

Loss = Callable[[Forward, Batch], Tensor]
"""The sum of the losses of a batch, each times its weight: `Task.loss`."""

Penalty = Callable[[nn.Module], Tensor]
"""What the loss needs of a penalty: a scalar from a model."""


def gradient(
    loss: Loss, forward: Forward, parts: Iterable[Batch], count: Tensor | int, draw: tuple[int, int], place: Place,
    phases: Phases,
) -> Tensor:  # fmt: skip
    """Add the gradient of the mean loss to the parameters and return that mean, in the unit of the loss.

    ``mean = sum over parts of loss(part) / count``, `count` being that of the global batch: the same number and the
    same masks however the batch is split into `parts`, which are computed one by one, or over processes, whose means
    add up. `draw` is (seed, step).
    """
    seed, step = draw
    total: Tensor | None = None
    for part in parts:
        with counter.counter(seed=seed, step=step, samples=part.slots), place.autocast():
            mean = loss(forward, part) / count
        phases.mark("forward")
        mean.backward()
        phases.mark("backward")
        total = mean.detach() if total is None else total + mean.detach()
    assert total is not None
    return total


def penalties(terms: Sequence[Penalty], model: nn.Module) -> Tensor | None:
    """Add the gradient of all `terms` once, whatever the parts of the batch, and return their sum; None without any."""
    if not terms:
        return None
    value = torch.stack([term(model) for term in terms]).sum()
    value.backward()
    return value.detach()
