"""What is done to the weights before they go along a direction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .direction import Group


class Before(ABC):
    """Changes weights before w <- w - lr u; it sees w and u. Abstract."""

    def given(self, decay: float, steps: float) -> float:
        """Return a group's `weight_decay` from what a configuration calls decay, in a pass of so many `steps`."""
        return decay

    @abstractmethod
    def __call__(self, params: list[Tensor], updates: list[Tensor], groups: Sequence[Group]) -> None:
        """Change `params` where they lie."""


@dataclass(frozen=True)
class Decay(Before):
    """Decoupled weight decay: w <- (1 - lr * weight_decay) w, with the group's own two numbers.

    Source:
        Loshchilov and Hutter, "Decoupled weight decay regularization" (arXiv 1711.05101).
        Read: documentation of PyTorch.
        Differs: no.

    Example:
        >>> w = torch.ones(2)
        >>> Decay()([w], [torch.zeros(2)], [{"lr": 0.1, "weight_decay": 1.0}])
        >>> w
        tensor([0.9000, 0.9000])
    """

    def __call__(self, params: list[Tensor], updates: list[Tensor], groups: Sequence[Group]) -> None:
        keeps = [1 - float(group["lr"]) * group["weight_decay"] for group in groups]
        if any(keep != 1 for keep in keeps):
            torch._foreach_mul_(params, keeps)
