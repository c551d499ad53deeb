"""One update of all weights, clipping and average included, against torch's fused AdamW and foreach calls."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from limit import Case
from torch import Tensor

from mainstem import ops

_AGAINST = "AdamW(fused) + foreach lerp + clip_grad_norm_(foreach)"
LARGE = [(384, 384)] * 24 + [(1536, 384), (384, 1536)] * 5 + [(384,)] * 24 + [(192, 384)]
"""10 million elements, as a model of width 384 has them."""
SMALL = [
    (65, 128), *[shape for _ in range(4) for shape in (*[(128, 128)] * 4, (512, 128), (128, 512), (128,), (128,))],
    (128,), (65, 128),
]  # fmt: skip
"""4 layers of width 128: calls cost more than elements."""


def _normal(shapes: list[tuple[int, ...]], scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) * scale for shape in shapes]


def _theirs(shapes: list[tuple[int, ...]]) -> Callable[[], object]:
    params = [torch.nn.Parameter(w) for w in _normal(shapes)]
    averages = [p.detach().clone() for p in params]
    for p, grad in zip(params, _normal(shapes, 1e-3), strict=True):
        p.grad = grad
    matrices, vectors = [p for p in params if p.ndim > 1], [p for p in params if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)

    def once() -> None:
        torch.nn.utils.clip_grad_norm_(params, 1.0, foreach=True)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, params, 0.01)

    return once


def _ours(shapes: list[tuple[int, ...]]) -> Callable[[], object]:
    params, grads = _normal(shapes), _normal(shapes, 1e-3)
    averages = [p.clone() for p in params]
    first, second = ([torch.zeros_like(p) for p in params] for _ in range(2))
    steps = [torch.zeros(()) for _ in params]
    decays = [0.1 if p.ndim > 1 else 0.0 for p in params]

    def once() -> None:
        ops.update.adamw(
            params, grads, first, second, steps, rates=[1e-3] * len(params), decays=decays, betas=(0.9, 0.999),
            eps=1e-8, averages=averages, average_decay=0.99, norm=ops.update.norm(grads), max_norm=1.0,
        )  # fmt: skip

    return once


def cases() -> list[Case]:
    """Return the comparisons; each callable does the whole thing once.

    An update reads gradients twice, since the norm of all of them comes first, and reads and writes four arrays more.
    """
    return [
        Case(what, _AGAINST, "at least 1.5x as fast", _ours(shapes), _theirs(shapes), 10 * 4 * _elements(shapes))
        for what, shapes in (("update, 10 M parameters", LARGE), ("update, 4 layers of width 128", SMALL))
    ]


def _elements(shapes: list[tuple[int, ...]]) -> int:
    return sum(math.prod(shape) for shape in shapes)
