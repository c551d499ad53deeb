"""How gradients come and optimizers step, seen at one parameter of a model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .quantity.base import whole, wide

_Batch = nn.modules.batchnorm._BatchNorm


class Steps:
    """What a training does around its forward passes; the smallest parameter is looked at, and no other.

    `backwards` are the gradients that came, `in_eval` those of a model in evaluation, `taken` the steps; `kept` of
    `judged` steps had a gradient to which that of the step before still belonged. `still`: the last one had no rate.
    `zeros` are the matrices that were 0 at the start, where they are asked for: of a model that FSDP2 spreads over
    processes all must ask.
    """

    def __init__(self, model: nn.Module, zeros: bool = True) -> None:
        self.model = model
        self.backwards = self.in_eval = self.taken = self.judged = 0
        self.still = False
        self.frozen_norms: list[str] = []
        matrices = [(name, weight.detach()) for name, weight in model.named_parameters() if weight.dim() > 1]
        self.zeros = {name for name, weight in matrices if not whole(weight.any())} if zeros else set()
        # Tensors, so that no step waits for a device.
        self._kept = self._live = torch.tensor(0)
        learned = [p for p in model.parameters() if p.requires_grad and p.is_floating_point()]
        self._parameter = min(learned, key=lambda p: p.numel(), default=None)
        self._start = None if self._parameter is None else self._parameter.detach().clone()
        self._came: Tensor | None = None
        self._left: Tensor | None = None

    def listen(self) -> list[Any]:
        """Begin to listen; `remove()` of each handle that this returns ends it."""
        if self._parameter is None:
            return []
        handles: list[Any] = [
            register_optimizer_step_pre_hook(self._before),
            register_optimizer_step_post_hook(self._after),
        ]
        if self._parameter.requires_grad:  # it may have been frozen since
            handles.append(self._parameter.register_hook(self._note))
        return handles

    def _note(self, gradient: Tensor) -> None:
        self.backwards += 1
        self.in_eval += not self.model.training
        self._came = gradient.detach().clone() if self._came is None else self._came + gradient.detach()
        self._live = self._live.to(gradient.device) + gradient.detach().ne(0).any()
        if self.model.training and self.backwards == 1:
            self.frozen_norms = [name for name, part in self.model.named_modules() if _in_eval(part)]

    def mine(self, optimizer: torch.optim.Optimizer) -> bool:
        """Return whether `optimizer` has a parameter of the model."""
        mine = {id(parameter) for parameter in self.model.parameters()}
        return any(id(parameter) in mine for group in optimizer.param_groups for parameter in group["params"])

    def _before(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if not self.mine(optimizer):
            return
        self.taken += 1
        self.still = all(float(group["lr"]) == 0 for group in optimizer.param_groups if "lr" in group)
        parameter = self._parameter
        now = None if parameter is None else parameter.grad
        if now is None or self._came is None or self._left is None:
            return
        self.judged += 1
        summed = self._came + self._left
        apart = _norm(now - self._came) > 1e-3 * _norm(now)
        kept = apart & (_norm(now - summed) <= 1e-5 * _norm(summed))
        self._kept = self._kept.to(kept.device) + kept

    def _after(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if not self.mine(optimizer):
            return
        now = None if self._parameter is None else self._parameter.grad
        self._left = None if now is None else now.detach().clone()
        self._came = None

    @property
    def kept(self) -> int:
        """In how many of the judged steps the gradient held that of the step before."""
        return int(self._kept)

    @property
    def unmoved(self) -> bool:
        """Whether gradients came and the parameter is what it was."""
        if self._parameter is None or self._start is None:
            return False
        return bool(self._live) and self._parameter.detach().equal(self._start)


def _norm(gradient: Tensor) -> Tensor:
    """Return the norm, which of float16 may be above all that float16 has."""
    return torch.linalg.vector_norm(gradient, dtype=wide(gradient))


def _in_eval(part: nn.Module) -> bool:
    # One whose gain is frozen too is meant to stay as it was trained.
    return (
        isinstance(part, _Batch) and not part.training and part.track_running_stats
        and part.weight is not None and part.weight.requires_grad
    )  # fmt: skip
