"""Which chains a kernel computes exactly: one rule for each. A rule that does not fit leaves the chain to its parts.

Rules go by exact types, so that a subclass does what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from .. import ops
from ..ops.dispatch import choose
from . import sharded
from .adam import Adam
from .averaging import Follow
from .before import Before, Decay
from .clip import Clip
from .direction import Direction, Moved
from .gate import Gate
from .muon import Orthogonal, orthogonal

Rule = Callable[[Moved, Direction, Clip, Follow | None], None]


def run(
    moved: Moved,
    direction: Direction,
    before: Sequence[Before],
    clip: Clip,
    follow: Follow | None,
    gate: Gate | None = None,
) -> bool:
    """Move the parameters by a kernel and let the average `follow` in the same pass; False where no rule fits."""
    if [type(each) for each in before] != [Decay]:
        return False
    rule = _rule(moved, direction)
    if rule is None:
        return False
    if rule is _adam_of_torch:
        _adam_of_torch(moved, direction, clip, follow, gate)
    else:
        rule(moved, direction, clip, follow)
    return True


def gates(moved: Moved, direction: Direction, before: Sequence[Before]) -> bool:
    """Return whether what runs them leaves parameters and states as they are where a gate says so."""
    return [type(each) for each in before] == [Decay] and _rule(moved, direction) is _adam_of_torch


def _rule(moved: Moved, direction: Direction) -> Rule | None:
    if passes(moved):
        return {Adam: _adam, Orthogonal: _orthogonal}.get(type(direction))
    if type(direction) is Adam and all(_torch_fuses(p) for p in sharded.local_all(moved.params)):
        return _adam_of_torch
    return None


def passes(moved: Moved) -> bool:
    """Return whether the kernels of `ops.update` read all of these: dense, float32 or bfloat16, on a CPU."""
    tensors = sharded.local_all([*moved.params, *moved.grads])
    kinds = {(t.device, t.dtype, t.layout) for t in tensors}
    return all(
        device.type == "cpu"
        and dtype in (torch.float32, torch.bfloat16)
        and layout == torch.strided
        and choose("update", "auto", "cpu", dtype) == "cpu"
        for device, dtype, layout in kinds
    )


def _adam(moved: Moved, direction: Direction, clip: Clip, follow: Follow | None) -> None:
    """Move in one pass, or in one for each pair of betas and eps."""
    for (betas, eps), alike in moved.alike("betas", "eps"):
        params = sharded.local_all(alike.params)
        ops.update.adamw(
            params,
            sharded.local_all(alike.grads),
            sharded.local_all(alike.state("exp_avg")),
            sharded.local_all(alike.state("exp_avg_sq")),
            alike.state("step"),
            rates=[float(group["lr"]) for group in alike.groups],
            decays=[group["weight_decay"] for group in alike.groups],
            betas=betas,
            eps=eps,
            **clip.in_pass(),
            **_following(follow, alike.params),
        )


def _adam_of_torch(
    moved: Moved, direction: Direction, clip: Clip, follow: Follow | None, gate: Gate | None = None
) -> None:
    """Move by torch's own kernel, which counts steps where the parameters are; the average is left to come last."""
    clip.scale(sharded.local_all(moved.grads))
    for p, state in zip(moved.params, moved.states, strict=True):
        if state["step"].device != p.device:
            state["step"] = state["step"].to(p.device)
    for (lr, decay, betas, eps), alike in moved.alike("lr", "weight_decay", "betas", "eps"):
        adamw(
            sharded.local_all(alike.params),
            sharded.local_all(alike.grads),
            sharded.local_all(alike.state("exp_avg")),
            sharded.local_all(alike.state("exp_avg_sq")),
            [],
            alike.state("step"),
            fused=True,
            found_inf=None if gate is None else gate.found_inf(),
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=float(lr),
            weight_decay=decay,
            eps=eps,
            maximize=False,
        )


def _orthogonal(moved: Moved, direction: Direction, clip: Clip, follow: Follow | None) -> None:
    """Move matrices by two passes of `ops.update` and the products between them."""
    order: list[Moved] = []
    updates: list[Tensor] = []
    for (momentum,), alike in moved.alike("momentum"):
        buffers = sharded.local_all(alike.state("momentum_buffer"))
        updates += ops.update.momentum(buffers, sharded.local_all(alike.grads), momentum=momentum, **clip.in_pass())
        order.append(alike)
    params = [p for alike in order for p in alike.params]
    groups = [group for alike in order for group in alike.groups]
    rates = [rate for alike in order for rate in alike.rates(direction)]
    ops.update.step(
        sharded.local_all(params),
        orthogonal(params, updates, moved.among),
        keeps=[1 - float(group["lr"]) * group["weight_decay"] for group in groups],
        sizes=rates,
        **_following(follow, params),
    )


def _following(follow: Follow | None, params: Sequence[Tensor]) -> dict[str, Any]:
    """Return what the passes of `ops.update` take for the averages of `params`: all of them, or else none."""
    averages = None if follow is None else follow.along(params)
    return {} if follow is None or averages is None else {"averages": averages, "average_decay": follow.decay}


def _torch_fuses(parameter: Tensor) -> bool:
    return parameter.device.type in ("cpu", "cuda", "mps", "xpu") and parameter.is_floating_point()
