"""An optimizer's arithmetic over lists of tensors, one or two passes for all of them.

`norm` goes over the gradients once; `adamw`, or `momentum` and `step` around Muon's orthogonalisation, over everything
else. Each pass also clips, by the norm, and lets an average of the weights follow. Nothing here has a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

from ...errors import BadInput
from ...wording import several
from ..dispatch import choose
from . import cpu, reference

Tensors = Sequence[Tensor]

__all__ = ["adamw", "momentum", "norm", "step"]


@torch.no_grad()
def norm(grads: Tensors, *, impl: str = "auto") -> Tensor:
    """Return the Euclidean norm over all elements of `grads`: a 0-d float32 tensor (float64 where one of them is).

    sqrt(sum of squares), added in float64 over fixed chunks of all elements in a row, so that the number of threads
    changes no bit. `grads`: any shapes, floating point; not one of them is norm 0. NaN or infinity gives the same.

    Raises:
        BadInput: where a gradient is sparse or no floating point, or `impl` cannot take them.

    Example:
        >>> norm([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])])
        tensor(5.)
    """
    if not grads:
        return torch.zeros(())
    _floats("grads", grads)
    return _module("update.norm", impl, grads).norm(list(grads))


@torch.no_grad()
def adamw(
    params: Tensors, grads: Tensors, exp_avgs: Tensors, exp_avg_sqs: Tensors, steps: Tensors, *,
    rates: Sequence[float], decays: Sequence[float], betas: tuple[float, float], eps: float,
    averages: Tensors = (), average_decay: float = 0.0, masters: Tensors = (), norm: Tensor | None = None,
    max_norm: float = 0.0, impl: str = "auto",
) -> None:  # fmt: skip
    """Update `params`, their moments, their counts of steps and their averages where they lie, as AdamW does.

    With g = grad * min(1, max_norm/norm), t the count plus 1: m <- lerp(m, g, 1 - beta1),
    v <- beta2 v + (1 - beta2) g^2, w <- (1 - rate decay) w - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps),
    and average <- lerp(average, w, 1 - average_decay).

    Lists have one entry for each parameter, or none (`averages`, `masters`). `grads`, `exp_avgs`, `exp_avg_sqs`,
    `averages`, `masters`: the parameter's shape. `steps`: 0-d float32. `masters`: float32 weights, which are then what
    is updated, and bfloat16 parameters become their rounded copies. `averages` are float32, and follow the parameter
    as it is stored. `norm`: 0-d, from `norm`; `max_norm` 0 does not clip, and neither does a norm that is not finite.
    Arithmetic is float32, rounded once to what is stored. "cpu" gives the same bits on any number of threads and any
    instruction set; the reference agrees to rounding.

    Raises `BadInput` where lists or shapes do not fit, or `impl` cannot take them, before anything has changed.

    Source: Loshchilov and Hutter 2019 (1711.05101), algorithm 2, with torch.optim.AdamW's order of operations.

    >>> w, m, v, t = torch.ones(2), torch.zeros(2), torch.zeros(2), torch.zeros(())
    >>> adamw([w], [torch.tensor([1.0, -2.0])], [m], [v], [t], rates=[0.1], decays=[0.0], betas=(0.9, 0.99), eps=0.0)
    >>> w, t
    (tensor([0.9000, 1.1000]), tensor(1.))
    """
    moments = (("exp_avgs", exp_avgs), ("exp_avg_sqs", exp_avg_sqs))
    _fit(params, ("grads", grads), *moments, ("averages", averages), ("masters", masters))
    _lengths(params, ("steps", steps), ("rates", rates), ("decays", decays))
    if [m.dtype for m in exp_avgs] != [v.dtype for v in exp_avg_sqs]:
        raise BadInput("exp_avgs and exp_avg_sqs differ in dtype: give both moments of a parameter the same.")
    for dtype, dimensions in {(count.dtype, count.ndim) for count in steps}:
        if dtype != torch.float32 or dimensions:
            raise BadInput(f"One of steps is {dtype} with {dimensions} axes: give 0-d float32 tensors.")
    _extras(params, averages, masters)
    norm = _clipping(norm, max_norm)
    if not params:
        return
    chosen = _module("update.adamw", impl, params, grads, exp_avgs)
    chosen.adamw(
        list(params), list(grads), list(exp_avgs), list(exp_avg_sqs), list(steps), list(averages), list(masters),
        list(rates), list(decays), *betas, eps, average_decay, norm, max_norm,
    )  # fmt: skip


@torch.no_grad()
def momentum(
    buffers: Tensors, grads: Tensors, *, momentum: float, norm: Tensor | None = None, max_norm: float = 0.0,
    impl: str = "auto",
) -> list[Tensor]:  # fmt: skip
    """Let `buffers` follow the gradients, and return Nesterov's look ahead, float32: what Muon makes orthogonal.

    With g = grad * min(1, max_norm/norm): buffer <- lerp(buffer, g, 1 - momentum), and lerp(g, buffer, momentum) is
    returned. Clipping, dtypes and errors are those of `adamw`.

    Source:
        Jordan et al., "Muon" (2024).

    Example:
        >>> buffer = torch.zeros(1, 2)
        >>> momentum([buffer], [torch.tensor([[1.0, 2.0]])], momentum=0.5), buffer
        ([tensor([[0.7500, 1.5000]])], tensor([[0.5000, 1.0000]]))
    """
    _fit(buffers, ("grads", grads))
    norm = _clipping(norm, max_norm)
    if not buffers:
        return []
    chosen = _module("update.momentum", impl, buffers, grads)
    made: list[Tensor] = chosen.momentum(list(buffers), list(grads), momentum, norm, max_norm)
    return made


@torch.no_grad()
def step(
    params: Tensors, updates: Tensors, *, keeps: Sequence[float], sizes: Sequence[float], averages: Tensors = (),
    average_decay: float = 0.0, masters: Tensors = (), impl: str = "auto",
) -> None:  # fmt: skip
    """Set each parameter to keep * w - size * update, and let its average follow.

    Args:
        keeps, sizes: one number for each parameter, for Muon 1 - lr * decay and lr * scale. `averages`, `masters`,
            dtypes and errors are those of `adamw`.

    Example:
        >>> w = torch.ones(2)
        >>> step([w], [torch.tensor([1.0, -1.0])], keeps=[0.5], sizes=[0.25])
        >>> w
        tensor([0.2500, 0.7500])
    """
    _fit(params, ("updates", updates), ("averages", averages), ("masters", masters))
    _lengths(params, ("keeps", keeps), ("sizes", sizes))
    _extras(params, averages, masters)
    if not params:
        return
    chosen = _module("update.step", impl, params, updates)
    chosen.step(list(params), list(updates), list(averages), list(masters), list(keeps), list(sizes), average_decay)


def _module(op: str, impl: str, *lists: Tensors) -> ModuleType:
    kinds = {(t.device, t.dtype) for tensors in lists for t in tensors}
    chosen = {choose(op, impl, device.type, dtype) for device, dtype in kinds}
    return cpu if chosen == {"cpu"} else reference


def _floats(name: str, tensors: Tensors) -> None:
    for dtype, layout in {(t.dtype, t.layout) for t in tensors}:
        if layout != torch.strided or not dtype.is_floating_point:
            raise BadInput(f"One of {name} is {dtype}, {layout}: an update reads dense tensors of floating point.")


def _lengths(params: Tensors, *lists: tuple[str, Sequence[object]]) -> None:
    for name, values in lists:
        if len(values) != len(params):
            raise BadInput(
                f"{name} has {several(len(values), 'item')} for {several(len(params), 'parameter')}: give one for each."
            )


def _fit(params: Tensors, *lists: tuple[str, Tensors]) -> None:
    _floats("params", params)
    shapes, devices = [p.shape for p in params], [p.device for p in params]
    for name, tensors in lists:
        if not tensors and name in ("averages", "masters"):
            continue
        _lengths(params, (name, tensors))
        _floats(name, tensors)
        # Whole lists first: with many small tensors, looking at each would cost as much as the update.
        if [t.shape for t in tensors] == shapes and [t.device for t in tensors] == devices:
            continue
        for i, (t, p) in enumerate(zip(tensors, params, strict=True)):
            if t.shape != p.shape:
                raise BadInput(
                    f"{name}[{i}] has shape {list(t.shape)}, its parameter {list(p.shape)}: make them equal."
                )
            if t.device != p.device:
                raise BadInput(f"{name}[{i}] is on {t.device} and its parameter on {p.device}: move one of them.")


def _extras(params: Tensors, averages: Tensors, masters: Tensors) -> None:
    # Without zip's strictness: either list may be empty.
    for p, average in {(p.dtype, a.dtype) for p, a in zip(params, averages, strict=False)}:
        if average != (wide := torch.promote_types(p, torch.float32)):
            raise BadInput(f"One of averages is {average} for a parameter of {p}: give {wide}.")
    for p, master in {(p.dtype, m.dtype) for p, m in zip(params, masters, strict=False)}:
        if master != torch.float32 or p not in (torch.bfloat16, torch.float16):
            raise BadInput(
                f"One of masters is {master} for a parameter of {p}: "
                "masters are the float32 weights of parameters in half precision."
            )


def _clipping(norm: Tensor | None, max_norm: float) -> Tensor | None:
    """Return `norm` where it clips, as the kernels read it."""
    if not 0 <= max_norm < math.inf:
        raise BadInput(f"max_norm {max_norm} cannot be used: give a finite number of at least 0, 0 for no clipping.")
    if norm is not None and (norm.ndim or not norm.is_floating_point()):
        raise BadInput(f"norm is {norm.dtype} of shape {list(norm.shape)}: give what ops.update.norm returns.")
    return None if norm is None or not max_norm else norm.to(torch.float32)
