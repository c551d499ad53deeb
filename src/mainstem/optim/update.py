"""One update of a model: gradients clipped, a step of the optimizer, and the average of the weights after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .. import ops
from ..names import networks
from ..ops.dispatch import choose
from . import sharded
from .acceptance import Accepts, finite
from .averaging import Average
from .clip import Clip, check
from .gate import Gate
from .grouping import known_of
from .optimizer import Update
from .owners import Among
from .places import together


@torch.no_grad()
def update(
    optimizer: Optimizer,
    model: nn.Module,
    max_norm: float = 0.0,
    average: Average | None = None,
    *,
    accepts: Accepts = finite,
    looks: bool = True,
    among: Among | None = None,
) -> Tensor:
    """Do what `clip`, ``optimizer.step()`` and ``average.update(model)`` do, and return the norm before clipping.

    On a CPU our optimizers do all of it in a pass over the gradients and one over everything else, and leave the
    gradients unscaled; any other optimizer is called in three steps. The norm is over the optimizer's parameters; in an
    ensemble each network has its own, by which its gradient alone is clipped, so that none depends on the others, and
    the root mean square of these is returned. Nothing is updated where `accepts`, which is asked once with the norm,
    says so: by default where that is not finite. The answer is looked at, which waits for a GPU; where `looks` is false
    our optimizers let the device decide. `among` are the processes that take the step together. With a GradScaler,
    which skips steps, call ``scaler.unscale_``, `clip` and ``scaler.step`` in its place.

    Raises:
        BadInput: `max_norm` is negative or no number.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> net(torch.ones(1)).backward()
        >>> from mainstem import optim
        >>> update(optim.AdamW(net.parameters(), lr=0.1), net, max_norm=0.5)
        tensor(1.)
    """
    check(max_norm)
    params = [p for group in optimizer.param_groups for p in group["params"]]
    apart = _clipped_apart(params, model, max_norm, looks)
    if apart is not None:
        max_norm = 0.0
    if not isinstance(optimizer, Update):
        norm = apart
        if norm is None:
            grads = [p.grad for p in params if p.grad is not None]
            norm = sharded.norm(grads, lambda: _names(optimizer))
            Clip(norm, max_norm).scale(sharded.local_all(grads))
        if bool(accepts(norm)):
            optimizer.step()
            if average is not None:
                average.update(model)
        return norm
    norm = apart
    if norm is None:
        norm = gradient_norm([p.grad for p in params if p.grad is not None], lambda: _names(optimizer))
    follow = [] if average is None else [average.of(model)]
    counts = accepts(norm)
    if not looks:
        optimizer.step(clip=Clip(norm, max_norm, looks=False), follow=follow, gate=Gate(counts), among=among)
    elif bool(counts):
        optimizer.step(clip=Clip(norm, max_norm), follow=follow, among=among)
    return norm


def _clipped_apart(params: Sequence[Tensor], model: nn.Module, max_norm: float, looks: bool) -> Tensor | None:
    """Clip the gradient of each network of an ensemble by its own norm, and return the root mean square of the norms.

    None where the model is one network, of which nothing has been clipped.
    """
    parts = [{id(p) for p in network.parameters()} for network in networks(model).values()]
    norms = []
    for ids in parts:
        grads = [p.grad for p in params if id(p) in ids and p.grad is not None]
        norms.append(gradient_norm(grads))
        Clip(norms[-1], max_norm, looks).scale(sharded.local_all(grads))
    return torch.stack(together(norms)).square().mean().sqrt() if norms else None


def _names(optimizer: Optimizer) -> list[str]:
    """Return what the parameters with a gradient are called: by their names, or by their place and shape."""
    found = []
    for number, group in enumerate(optimizer.param_groups):
        for place, (p, known) in enumerate(zip(group["params"], known_of(group), strict=True)):
            if p.grad is not None:
                name = known[0][0] if known else ""
                found.append(name or f"number {place} of group {number}, of shape {list(p.shape)},")
    return found


def gradient_norm(grads: Sequence[Tensor], names: Callable[[], Sequence[str]] | None = None) -> Tensor:
    """Return the norm over all of `grads`: by the kernel where it reads them, which no number of threads changes.

    `names` says what their parameters are called, for an error.
    """
    kinds = {(g.device, g.dtype, g.layout) for g in grads}
    reads = all(
        device.type == "cpu" and layout == torch.strided and choose("update.norm", "auto", "cpu", dtype) == "cpu"
        for device, dtype, layout in kinds
    )
    here = sharded.all_here(grads)
    return ops.update.norm(grads) if reads and here else sharded.norm(grads, names)
