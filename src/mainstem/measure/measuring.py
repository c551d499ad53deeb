"""How a watch notices passes and steps: by hooks on the model and on optimizers, which it opens and closes."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from . import targets_seen
from .hooks import Hooks
from .newest import Newest
from .passes import Pass
from .samples import Samples
from .seen import Seen
from .steps import Steps
from .tree import Tree
from .unreached import Unreached
from .updates import Updates
from .watchable import check_inputs


class Measuring:
    """Measures the passes of a model that are due, and what optimizers change, from `open` to `close`.

    `record` is the last pass that was measured, `passes` the number of all.
    """

    def __init__(self, model: nn.Module, periods: dict[str, int], optimizers: list[torch.optim.Optimizer]) -> None:
        self.model, self.optimizers = model, optimizers
        self.passes = 0
        self.record: Pass | None = None
        self.tree = Tree(model)
        self.newest, self.unreached = Newest(periods), Unreached(model)
        self._sees_steps = "update_ratio" in periods
        self.seen, self.steps = Seen(), Steps(model, self._sees_steps)
        self._handles: list[Any] = []
        self._hooks: list[Hooks] = []
        self._running: Hooks | None = None
        self._updates = Updates(self.tree.weight)
        self._tokens: Tensor | None = None
        self._warned = False

    def __deepcopy__(self, _memo: dict[int, Any]) -> Measuring:
        """Return this one itself, which the hooks of a copied model lead to, and which listens to no copy."""
        return self

    def open(self) -> None:
        """Begin to listen."""
        keep = self._handles.append
        keep(self.model.register_forward_pre_hook(self._begin, with_kwargs=True))
        keep(self.model.register_forward_hook(self._end, always_call=True))
        if self._sees_steps:
            keep(register_optimizer_step_pre_hook(self._before_step))
            keep(register_optimizer_step_post_hook(self._after_step))
            self._handles += self.steps.listen()

    def close(self) -> None:
        """Remove every hook."""
        self.look()
        for handle in self._handles:
            handle.remove()
        for hooks in self._hooks:
            hooks.remove()
        self._handles.clear()
        self._hooks.clear()
        self._updates.clear()
        self._running = None

    def look(self) -> None:
        """Note which parameters have no gradient, while those of the last pass can be seen."""
        self.unreached.look(self.record)

    def _begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if model is not self.model or torch.compiler.is_compiling():
            return
        # A call that calls the model again, or that was interrupted, is over.
        self._close_pass()
        for hooks in self._hooks:
            hooks.settle()
        quantities = self.newest.due(self.passes)
        self.passes += 1
        if not quantities:
            return
        check_inputs(self.model, args, kwargs)
        self.look()
        now = self.model.training, torch.is_grad_enabled(), Samples(args, kwargs)
        record = Pass(self.passes, quantities, *now, paths=self.seen.paths)
        while len(self._hooks) > 4:  # graphs of passes long gone need no hooks
            self._hooks.pop(0).remove()
        self.newest.replace(quantities)
        self.record, self._tokens = record, targets_seen.tokens(self.model, args, kwargs)
        self._running = Hooks(self.tree, record)
        self._hooks.append(self._running)
        self._running.open()

    def _close_pass(self) -> Hooks | None:
        """Remove the hooks of the pass that is running, and return them."""
        hooks, self._running = self._running, None
        if hooks is not None:
            hooks.close()
        return hooks

    def _end(self, model: nn.Module, _args: Any, output: Any) -> None:
        hooks = self._close_pass() if model is self.model else None
        if hooks is None or self.record is None:
            return
        self.seen.add(self.record)
        if (block := self.record.repeated) is not None:
            self.tree = Tree(self.model, block)
            self.seen.repeats(block)
            warnings.warn(
                f"{block!r} is called again with what it has returned, which this pass has shown: from the next one on "
                "its calls are the stream, here it is what each layer in it returns.",
                stacklevel=2,
            )
        if self.record.outside and not self._warned:
            self._warned = True
            warnings.warn(_outside(self.record.outside), stacklevel=2)
        if self.record.ahead and self._tokens is not None and torch.is_grad_enabled():
            hooks.keep(targets_seen.listen(output, self._tokens, self.seen.target))

    def _before_step(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if not self.steps.mine(optimizer):
            return
        if optimizer not in self.optimizers:
            self.optimizers.append(optimizer)
        if (quantity := self.newest.get("update_ratio")) is not None:
            if not quantity.measured:
                self.look()
            self._updates.begin(optimizer, quantity)

    def _after_step(self, _optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if (quantity := self.newest.get("update_ratio")) is not None:
            self._updates.end(quantity)


def _outside(names: list[str]) -> str:
    more = f", as it does with {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"The model itself adds what {names[0]!r} returns to what that was given{more}. So stream, similarity, "
        "effective_rank and block_influence are there those of a branch, and there is no branch_share: let a module "
        "make the sum, as mainstem.Residual does."
    )
