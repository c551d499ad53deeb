"""One pass over all weights: AdamW, decay, clipping and average. May import errors and its neighbours in ops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import BadInput
from ..dispatch import choose
from . import cpu, reference


def update(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    averages: Sequence[Tensor] = (),
    *,
    lr: float,
    step: int,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    decay: float = 0.0,
    share: float = 1.0,
    average_decay: float = 0.0,
    impl: str = "auto",
) -> None:
    """Take one step of AdamW in place, over all tensors at once; `averages` follow in the same pass.

    g = share * gradient; m <- m + (1 - b1)(g - m); v <- b2 v + (1 - b2) g^2;
    w <- (1 - lr decay) w - lr / (1 - b1^step) * m / (sqrt(v) / sqrt(1 - b2^step) + eps);
    a <- a + (1 - average_decay)(w - a). `share` is what clipping leaves of the gradients: they are not changed.

    Lists of equal length, of tensors of one shape each and floating point; `averages` may be empty. `step` counts from
    1. `impl`: "auto", "reference", or "cpu" (contiguous float32 on the host; the same bits on any number of threads and
    on any instruction set). Changes weights, means, squares and averages, and has no gradient.

    Raises `BadInput` where lists do not fit, a number makes no sense, or `impl` cannot take the tensors.

    Source: Loshchilov and Hutter 2017 (1711.05101), algorithm 2.

    >>> import torch
    >>> from mainstem import ops
    >>> w, m, v = torch.ones(1), torch.zeros(1), torch.zeros(1)
    >>> ops.update([w], [torch.tensor([3.0])], [m], [v], lr=0.1, step=1)
    >>> w
    tensor([0.9000])
    """
    lists = {"gradients": gradients, "means": means, "squares": squares, **({"averages": averages} if averages else {})}
    for name, tensors in lists.items():
        if [t.shape for t in tensors] != [w.shape for w in weights]:
            raise BadInput(f"{name} are not one tensor of each weight's shape: give {len(weights)} of them")
    beta1, beta2 = betas
    if not (0 <= beta1 < 1 and 0 <= beta2 < 1 and 0 <= average_decay < 1):
        raise BadInput(f"betas {betas} and average_decay {average_decay} must be in [0, 1)")
    if step < 1 or eps < 0 or decay < 0 or not math.isfinite(lr):
        raise BadInput(
            f"step {step} must be at least 1, eps {eps} and decay {decay} at least 0, and lr {lr} a finite number"
        )
    values = lr, beta1, beta2, eps, decay, float(step), share, average_decay
    every = [weights, *lists.values()]
    chosen = _chosen("update", [t for tensors in every for t in tensors], impl)
    with torch.no_grad():
        call = cpu.adamw if chosen == "cpu" else reference.adamw
        call(list(weights), list(gradients), list(means), list(squares), list(averages), *values)


def total_norm(gradients: Sequence[Tensor], impl: str = "auto") -> Tensor:
    """Return the Euclidean norm over all `gradients` together, float64, summed in float64.

    `impl` as in `update`.

    >>> import torch
    >>> total_norm([torch.tensor([3.0]), torch.tensor([[4.0]])]).item()
    5.0
    """
    chosen = _chosen("total_norm", gradients, impl)
    with torch.no_grad():
        return (cpu.total_norm if chosen == "cpu" else reference.total_norm)(list(gradients))


def _chosen(op: str, tensors: Sequence[Tensor], impl: str) -> str:
    odd = next(
        (t for t in tensors if t.dtype != torch.float32 or t.device.type != "cpu" or not t.is_contiguous()), None
    )
    if odd is None and tensors:
        return choose(op, impl, "cpu", torch.float32)
    if impl == "cpu":
        what = "no tensor at all" if odd is None else f"{odd.dtype} on {odd.device}, strides {list(odd.stride())}"
        raise BadInput(f"impl 'cpu' of {op} takes contiguous float32 on the host, not {what}: use reference")
    return choose(op, "reference", "cpu", torch.float32) if impl == "auto" else choose(op, impl, "cpu", torch.float32)
