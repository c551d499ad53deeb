"""One pass over all weights against torch's fused AdamW with clipping and an average."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mainstem import ops

LARGE = [(1024, 1024)] * 10
SMALL = [(128, 128)] * 16 + [(512, 128)] * 8 + [(128,)] * 17 + [(65, 128)]
"""The tensors of 4 layers of width 128."""


def _sides(shapes: list[tuple[int, ...]]) -> tuple[Callable[[], object], Callable[[], object]]:
    torch.manual_seed(0)
    weights = [torch.randn(shape) for shape in shapes]
    gradients = [torch.randn(shape) for shape in shapes]
    means, squares = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
    averages, theirs_averages = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
    parameters = [w.clone().requires_grad_() for w in weights]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = g.clone()
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.1, fused=True)

    def ours() -> None:
        norm = ops.total_norm(gradients).item()
        ops.update(
            weights, gradients, means, squares, averages, lr=1e-3, step=3, decay=0.1, share=min(1.0, 1.0 / norm),
            average_decay=0.999,
        )  # fmt: skip

    @torch.no_grad()
    def theirs() -> None:
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        torch._foreach_lerp_(theirs_averages, parameters, 1e-3)

    return ours, theirs


def cases() -> list[tuple[str, str, str, Callable[[], object], Callable[[], object]]]:
    against = "AdamW(fused=True), clip_grad_norm_(foreach=True), _foreach_lerp_"
    return [
        ("update, 10 M parameters", against, "time <= 0.667", *_sides(LARGE)),
        ("update, 4 layers of width 128", against, "", *_sides(SMALL)),
    ]
