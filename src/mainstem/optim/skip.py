"""Which steps are left out though all of their numbers are finite: those whose gradient is a spike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import variants
from ..config.sections import Count


@dataclass(frozen=True)
class Skip(ABC):
    """Leaves steps out by the norm of their gradient, beside the norms of the steps before. Abstract.

    Args:
        last: how many norms before the present one it goes by.
    """

    last: Count = 128

    def __post_init__(self) -> None:
        variants.within(self)

    @abstractmethod
    def is_spike(self, norm: Tensor, before: Tensor) -> Tensor:
        """Return whether a step with the gradient's `norm` is left out: a 0-d truth value on the same device.

        `before` has the norms of the `last` steps, the newest at its end, and infinity where there were fewer steps.
        Nothing here may look at a number, as that would wait for a GPU.
        """


class Skipping:
    """What `skip` has seen in one training: the norms of its steps. Final.

    Calling it with the norm of a step returns whether that step counts, and remembers the norm, that of a spike too:
    a gradient that stays larger is a spike no longer. A norm that is not finite is not remembered.

    Example:
        >>> from mainstem.optim import Percentile
        >>> skipping = Skipping(Percentile(last=3, below=1.0, factor=2.0))
        >>> [bool(skipping(torch.tensor(norm))) for norm in (1.0, 2.0, 1.5, 9.0, 9.0)]
        [True, True, True, False, True]
    """

    def __init__(self, skip: Skip) -> None:
        self.skip = skip
        self._norms = torch.full((skip.last,), torch.inf)

    def __call__(self, norm: Tensor) -> Tensor:
        norm = norm.detach().to(torch.float32)
        before = self._norms.to(norm.device)
        spike = self.skip.is_spike(norm, before)
        self._norms = torch.where(norm.isfinite(), torch.cat([before[1:], norm[None]]), before)
        return ~spike

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on: the norms, the newest at the end."""
        return {"norms": self._norms[self._norms.isfinite()]}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        norms = state["norms"][-self.skip.last :]
        self._norms = torch.cat([norms.new_full((self.skip.last - len(norms),), torch.inf), norms])
