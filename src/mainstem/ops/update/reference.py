"""An optimizer's passes in plain PyTorch: the oracle, and what runs where there is no kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import widened

Tensors = Sequence[Tensor]


def norm(grads: Tensors) -> Tensor:
    """Return the norm over all of `grads`, summed in float64: 0-d, float32, or float64 where one of them is."""
    first = grads[0]
    sums = torch.stack([grad.to(torch.float64).square().sum() for grad in grads])
    wide = torch.float64 if any(grad.dtype == torch.float64 for grad in grads) else torch.float32
    return sums.sum().sqrt().to(first.device, wide)


def share(norm: Tensor | None, max_norm: float) -> Tensor | float:
    """Return min(1, max_norm / norm), and 1 where the norm is not finite, is not given, or `max_norm` is 0."""
    if norm is None or not max_norm:
        return 1.0
    return torch.where(norm.isfinite(), (max_norm / norm).clamp(max=1.0), torch.ones_like(norm))


def _store(weight: Tensor, param: Tensor, master: Tensor | None, average: Tensor | None, decay: float) -> None:
    if master is not None:
        master.copy_(weight)
    param.copy_(weight)
    if average is not None:
        average.lerp_(param.to(average.dtype), 1 - decay)


def adamw(
    params: Tensors, grads: Tensors, exp_avgs: Tensors, exp_avg_sqs: Tensors, steps: Tensors, averages: Tensors,
    masters: Tensors, rates: Sequence[float], decays: Sequence[float], beta1: float, beta2: float, eps: float,
    average_decay: float, norm: Tensor | None, max_norm: float,
) -> None:  # fmt: skip
    """Do what `ops.update.adamw` says, for any device and dtype; empty lists of averages and masters are none."""
    factor = share(norm, max_norm)
    for i, (param, m, v) in enumerate(zip(params, exp_avgs, exp_avg_sqs, strict=True)):
        master = masters[i] if masters else None
        grad = widened(grads[i]) * factor
        count = steps[i].add_(1).item()
        mean = torch.lerp(widened(m), grad.to(widened(m).dtype), 1 - beta1)
        square = widened(v) * beta2 + (1 - beta2) * grad * grad
        m.copy_(mean)
        v.copy_(square)
        root = square.sqrt() / math.sqrt(1 - beta2**count) + eps
        weight = widened(param if master is None else master) * (1 - rates[i] * decays[i])
        weight = weight - rates[i] / (1 - beta1**count) * mean / root
        _store(weight, param, master, averages[i] if averages else None, average_decay)


def momentum(buffers: Tensors, grads: Tensors, momentum: float, norm: Tensor | None, max_norm: float) -> list[Tensor]:
    """Do what `ops.update.momentum` says, for any device and dtype."""
    factor, updates = share(norm, max_norm), []
    for buffer, own in zip(buffers, grads, strict=True):
        grad = (widened(own) * factor).to(widened(buffer).dtype)
        gathered = torch.lerp(widened(buffer), grad, 1 - momentum)
        buffer.copy_(gathered)
        updates.append(torch.lerp(grad, gathered, momentum))
    return updates


def step(
    params: Tensors, updates: Tensors, averages: Tensors, masters: Tensors, keeps: Sequence[float],
    sizes: Sequence[float], average_decay: float,
) -> None:  # fmt: skip
    """Do what `ops.update.step` says, for any device and dtype."""
    for i, (param, update) in enumerate(zip(params, updates, strict=True)):
        master = masters[i] if masters else None
        weight = widened(param if master is None else master) * keeps[i] - sizes[i] * widened(update)
        _store(weight, param, master, averages[i] if averages else None, average_decay)
