"""What one pass over the weights does besides the optimizer's own step: clipping, and an average that follows.

May import torch and `ops`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..ops.dispatch import choose
from .clip import share

_FOREIGN = ("amsgrad", "maximize", "capturable", "differentiable")


@dataclass(frozen=True)
class Along:
    """`norm`: the gradients' before clipping to `max_norm` (0: no clipping). `averages`: by the id of a parameter.

    Whoever lets an average follow says so in `done`.
    """

    norm: Tensor | None = None
    max_norm: float = 0.0
    averages: Mapping[int, Tensor] = field(default_factory=dict)
    decay: float = 0.0
    done: set[int] = field(default_factory=set)

    def clip(self, params: Iterable[Tensor]) -> None:
        """Scale the gradients where they lie, for a step that does not do it in its pass."""
        grads = [p.grad for p in params if p.grad is not None]
        if grads and self.norm is not None and self.max_norm:
            torch._foreach_mul_(grads, share(self.norm, self.max_norm))

    def follow(self, params: Sequence[Tensor]) -> dict[str, Any]:
        """Return what the passes of `ops.update` take for the averages of `params`: all of them, or else none."""
        keys = [id(p) for p in params]
        averages = [self.averages[key] for key in keys if key in self.averages]
        if len(averages) != len(keys) or any(a.dtype != torch.float32 for a in averages):
            return {}
        self.done.update(keys)
        return {"averages": averages, "average_decay": self.decay}

    def clipping(self) -> dict[str, Any]:
        """Return what the passes of `ops.update` take for clipping."""
        return {"norm": self.norm, "max_norm": self.max_norm}


def passes(groups: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the kernels of `ops.update` can update all of these groups: dense, float32 or bfloat16, on a CPU.

    Elsewhere torch's own implementations are faster than the reference of `ops.update`.
    """
    kinds = set()
    for group in groups:
        if isinstance(group["lr"], Tensor) or any(group.get(key) for key in _FOREIGN):
            return False
        for p in group["params"]:
            kinds.add((p.device, p.dtype, p.layout))
            if p.grad is not None:
                kinds.add((p.grad.device, p.grad.dtype, p.grad.layout))
    return all(
        device.type == "cpu"
        and dtype in (torch.float32, torch.bfloat16)
        and layout == torch.strided
        and choose("update", "auto", device.type, dtype) == "cpu"
        for device, dtype, layout in kinds
    )
