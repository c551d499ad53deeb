"""What asks for the gradient a second time, elsewhere, before a step is taken."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.sections import Positive
from ..errors import BadInput


@dataclass(frozen=True)
class Around(ABC):
    """Moves the weights by e; the step from w is taken along the gradient at w + e. Abstract.

    Args:
        rho: how far away the second gradient is taken, a finite number above 0.

    Raises:
        BadInput: `rho` is another number.
    """

    rho: Positive

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rho) and self.rho > 0):
            raise BadInput(f"rho {self.rho} of {type(self).__name__} cannot be used: give a finite number above 0.")

    @abstractmethod
    def away(self, params: Sequence[Tensor], grads: Sequence[Tensor]) -> list[Tensor]:
        """Return e of each parameter, the part that lies in this process; under FSDP2 both are DTensors."""

    def share(self, norm: Tensor) -> Tensor:
        """Return rho / norm, or 0 where nothing has a gradient."""
        return torch.where(norm > 0, self.rho / norm, torch.zeros_like(norm))
