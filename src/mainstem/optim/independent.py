"""Decay that does not depend on the learning rate's peak, only on its schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .before import Before
from .direction import Group


@dataclass(frozen=True)
class Independent(Before):
    """Independent weight decay: w <- (1 - s * weight_decay) w, s = lr / peak the share that the schedule leaves.

    With another peak learning rate weights decay as fast as before, where `Decay` multiplies both. The two are the same
    where this `weight_decay` is lr * weight_decay of that one, at the peak: 1e-4 here is 0.1 there at a rate of 1e-3.

    Source:
        Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities" (arXiv 2309.14322),
        independent weight decay, as Loshchilov and Hutter (arXiv 1711.05101) had it first.
        Read: nothing of the original.
        Differs: no.

    Example:
        >>> w = torch.ones(2)
        >>> Independent()([w], [torch.zeros(2)], [{"lr": 0.05, "peak": 0.1, "weight_decay": 0.2}])
        >>> w
        tensor([0.9000, 0.9000])
    """

    def __call__(self, params: list[Tensor], updates: list[Tensor], groups: Sequence[Group]) -> None:
        keeps = [1 - share(group) * group["weight_decay"] for group in groups]
        if any(keep != 1 for keep in keeps):
            torch._foreach_mul_(params, keeps)


def share(group: Group) -> float:
    """Return lr / peak of a group: 0 where the peak is 0."""
    peak = float(group["peak"])
    return float(group["lr"]) / peak if peak else 0.0
