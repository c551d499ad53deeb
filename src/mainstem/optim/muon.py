"""Muon's direction, for hidden matrices: an orthogonal matrix near the momentum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..config.sections import NonNegative, Rate
from . import sharded
from .direction import Direction, Group, Moved, has_role, is_matrix
from .orthogonal import orthogonalize_all
from .owners import Among, shared, shared_rows

SCALES: dict[str, Callable[[int, int], float]] = {
    "original": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}
"""What the orthogonal step is multiplied by. With "match_rms_adamw" (arXiv 2502.16982) its elements are as large as
AdamW's, so that AdamW's learning rate and decay carry over."""


@dataclass(frozen=True)
class Orthogonal(Direction):
    """u = orthogonalize((1-momentum)*g + momentum*b), b <- momentum*b + (1-momentum)*g, with a size by the shape.

    It takes matrices whose role is in `roles`; where there are no roles, every matrix.

    Raises:
        BadInput: for an unknown scale, or another field beyond the limits of its type.

    Source:
        Jordan et al., "Muon" (2024).
    """

    lr: NonNegative = 0.02
    momentum: Rate = 0.95
    scale: Literal["original", "match_rms_adamw"] = "original"
    roles: tuple[str, ...] = ("attention", "feedforward")

    def takes(self, parameter: Tensor, known: Sequence[tuple[str, str]]) -> bool:
        return is_matrix(parameter) and (not any(role for _, role in known) or has_role(known, self.roles))

    def refuses(self, parameter: Tensor) -> str | None:
        if parameter.ndim == 2:
            return None
        return f"Muon takes matrices, and a parameter of shape {list(parameter.shape)} is none: use AdamW for it."

    def begin(self, parameter: Tensor) -> dict[str, Tensor]:
        return {"momentum_buffer": torch.zeros_like(parameter)}

    def __call__(self, moved: Moved) -> list[Tensor]:
        found: dict[int, Tensor] = {}
        for (momentum,), alike in moved.alike("momentum"):
            grads = sharded.local_all(alike.grads)
            buffers = sharded.local_all(alike.state("momentum_buffer"))
            torch._foreach_lerp_(buffers, grads, 1 - momentum)
            found |= zip(map(id, alike.params), torch._foreach_lerp(grads, buffers, momentum), strict=True)
        return orthogonal(moved.params, [found[id(p)] for p in moved.params], moved.among)

    def size(self, parameter: Tensor, group: Group) -> float:
        return SCALES[group["scale"]](*parameter.shape)


def orthogonal(params: Sequence[Tensor], updates: Sequence[Tensor], among: Among | None = None) -> list[Tensor]:
    """Return each update orthogonalised; of what is spread over processes, the part of the whole that lies here.

    Of several processes `among` which the step is shared, each orthogonalises its own matrices and sends them.
    """
    if among is None or among.size == 1:
        return _by_all(params, updates)
    alike: dict[tuple[torch.dtype, torch.device], list[int]] = {}
    for index, update in enumerate(updates):
        alike.setdefault((update.dtype, update.device), []).append(index)
    found: dict[int, Tensor] = {}
    for indices in alike.values():
        some, here = [params[i] for i in indices], [updates[i] for i in indices]
        if sharded.all_here(some):
            made = shared(orthogonalize_all, here, among)
        elif sharded.by_rows(some, among.size):
            made = shared_rows(orthogonalize_all, here, [p.shape for p in some], among)
        else:
            made = _by_all(some, here)
        found |= zip(indices, made, strict=True)
    return [found[i] for i in range(len(updates))]


def _by_all(params: Sequence[Tensor], updates: Sequence[Tensor]) -> list[Tensor]:
    """Return the same, where every process computes every matrix."""
    made = orthogonalize_all([sharded.whole(u, p) for p, u in zip(params, updates, strict=True)])
    return [sharded.part_of(u, p) for p, u in zip(params, made, strict=True)]
