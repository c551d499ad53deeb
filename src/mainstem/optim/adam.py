"""Adam's direction: moments of the gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.sections import NonNegative, Positive, Rate
from . import sharded
from .direction import Direction, Group, Moved
from .places import together


@dataclass(frozen=True)
class Adam(Direction):
    """u = m / (sqrt(v) + eps), with the moments m and v corrected for their start at 0.

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2; the state is torch's: step, exp_avg, exp_avg_sq.

    Source:
        Kingma and Ba, "Adam" (arXiv 1412.6980), algorithm 1.
    """

    lr: NonNegative = 1e-3
    betas: tuple[Rate, Rate] = (0.9, 0.999)
    eps: Positive = 1e-8

    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        return {
            "step": torch.zeros((), dtype=torch.float32),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }

    def __call__(self, moved: Moved) -> list[Tensor]:
        found: dict[int, Tensor] = {}
        for (betas,), alike in moved.alike("betas"):
            steps = alike.state("step")
            torch._foreach_add_(steps, 1)
            counts = torch.stack(together(steps)).tolist()
            grads, means, squares = (
                sharded.local_all(each) for each in (alike.grads, alike.state("exp_avg"), alike.state("exp_avg_sq"))
            )
            torch._foreach_lerp_(means, grads, 1 - betas[0])
            torch._foreach_mul_(squares, betas[1])
            torch._foreach_addcmul_(squares, grads, grads, 1 - betas[1])
            roots = _roots(squares, counts, alike.groups)
            updates = torch._foreach_div(means, [1 - betas[0] ** count for count in counts])
            torch._foreach_div_(updates, roots)
            found |= zip(map(id, alike.params), updates, strict=True)
        return [found[id(p)] for p in moved.params]

    def metric(self, state: Mapping[str, Tensor], group: Group) -> Tensor | float:
        return _roots([sharded.wide(sharded.local(state["exp_avg_sq"]))], [float(state["step"])], [group])[0]


def _roots(squares: list[Tensor], counts: Sequence[float], groups: Sequence[Group]) -> list[Tensor]:
    """Return sqrt(v / (1 - beta2^t)) + eps."""
    roots = list(torch._foreach_sqrt(squares))
    betas = [group["betas"][1] for group in groups]
    torch._foreach_div_(roots, [(1 - beta**count) ** 0.5 for beta, count in zip(betas, counts, strict=True)])
    torch._foreach_add_(roots, [group["eps"] for group in groups])
    return roots
