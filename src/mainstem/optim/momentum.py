"""The gradient's own direction, with momentum where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.sections import NonNegative, Rate
from . import sharded
from .direction import Direction, Moved


@dataclass(frozen=True)
class Momentum(Direction):
    """u = b with b <- momentum * b + g, as torch has it; u = g where momentum is 0.

    Source:
        Sutskever et al., "On the importance of initialization and momentum in deep learning" (ICML 2013), with
        torch.optim.SGD's order of operations.
    """

    lr: NonNegative = 1e-3
    momentum: Rate = 0.0

    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        return {"momentum_buffer": torch.zeros_like(parameter)} if self.momentum else {}

    def __call__(self, moved: Moved) -> list[Tensor]:
        found: dict[int, Tensor] = {}
        for (momentum,), alike in moved.alike("momentum"):
            updates = sharded.local_all(alike.grads)
            if momentum:
                for p, state in zip(alike.params, alike.states, strict=True):
                    state.setdefault("momentum_buffer", torch.zeros_like(p))
                buffers = sharded.local_all(alike.state("momentum_buffer"))
                torch._foreach_mul_(buffers, momentum)
                torch._foreach_add_(buffers, updates)
                updates = buffers
            found |= zip(map(id, alike.params), updates, strict=True)
        return [found[id(p)] for p in moved.params]
