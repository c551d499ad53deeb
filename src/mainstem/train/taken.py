"""What a step came to."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..measure import depth
from .world import World


class Taken(NamedTuple):
    """What a step came to; `numbers` (loss, grad_norm, perhaps penalty) are still tensors.

    `tokens` are the targets of all processes. `applied` is false where a number was not finite, or the gradient a spike
    (`optim.skip`, which adds `spike` to the numbers): then no weight, no moment and no average has changed; on a GPU it
    is a tensor too. `watched` are the norms by depth and the median ratio of update to weight, where the step was asked
    to watch.
    """

    numbers: dict[str, Tensor]
    lr: float
    tokens: int
    applied: bool | Tensor
    watched: tuple[depth.Norms, float] | None


def joined(norms: depth.Norms, share: float, world: World) -> depth.Norms:
    """Return the norms by depth of the global batch, of which this process has measured a `share`."""
    if world.alone:
        return norms
    squares = [torch.tensor(values, dtype=torch.float64).square() * share for values in (norms.stream, norms.gradient)]
    return depth.Norms(*(world.total(each).sqrt().tolist() for each in squares))
