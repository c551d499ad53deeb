"""The tensor of a step in which the first number that is not finite comes to be.

A step is a function of the weights and its number, and one that was left out has changed no weight. So it is computed
once more, with hooks, when a run ends for it; until then nothing is watched, and it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..measure.leaves import tensors
from ..optim import sharded
from .learner import Learner

_WEIGHT = "the weight"


def find(learner: Learner, step: int) -> str | None:
    """Return in words where the first number of `step` that is not finite comes to be; None where it is not found.

    Looked at are, in this order, the weights, what each module makes of finite inputs, in the order of the forward
    pass, loss and penalty, and the gradients of parameters, in the order of the backward pass. Of several processes
    each looks at its share of the batch, and the first one that finds something is heard, a weight before all else.
    Watched modules are computed without kernels that stand for several of them, so that a number which only such a
    kernel spoils is not found.
    """
    found = _find(learner, step)
    if learner.world.meeting is None:
        return found
    heard = [text for text in learner.world.meeting.everyone(f"culprit/{step}", found) if text is not None]
    # Of a model in parts one process has the weight, and all have what comes of it.
    return min(heard, key=lambda text: not text.startswith(_WEIGHT), default=None)


def _find(learner: Learner, step: int) -> str | None:
    named = learner.model.named_parameters()
    wrong = [f"{_WEIGHT} {name!r}" for name, p in named if not _finite(p)]
    if wrong and learner.spread is None:  # else the others need this process to compute
        return wrong[0]
    seen: list[str] = []
    behind: list[str] = []
    handles = [*_outputs(learner.model, seen), *_gradients(learner.model, behind)]
    try:
        numbers = learner.gradients(step)
    finally:
        for handle in handles:
            handle.remove()
    own = [f"the {name} itself" for name, value in numbers.items() if not _finite(value)]
    return next(iter([*wrong, *seen, *own, *behind]), None)


def _outputs(model: nn.Module, seen: list[str]) -> Iterator[Any]:
    """Watch each module; put the name of one into `seen` that makes what is not finite of what is."""

    def watch(name: str) -> Any:
        def look(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            if not seen and not all(map(_finite, tensors(output))) and all(map(_finite, tensors((args, kwargs)))):
                seen.append(f"the output of {name or 'the model'!r} ({type(module).__name__.removeprefix('FSDP')})")

        return look

    for name, module in model.named_modules():
        yield module.register_forward_hook(watch(name), with_kwargs=True)


def _gradients(model: nn.Module, seen: list[str]) -> Iterator[Any]:
    """Watch the gradient of each parameter, as the backward pass comes to it."""

    def watch(name: str) -> Any:
        def look(p: Tensor) -> None:
            if not seen and p.grad is not None and not _finite(p.grad):
                seen.append(f"the gradient of {name!r}")

        return look

    for name, p in model.named_parameters():
        if p.requires_grad:
            yield p.register_post_accumulate_grad_hook(watch(name))


def _finite(tensor: Tensor) -> bool:
    tensor = sharded.local(tensor)  # which asks nobody
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
