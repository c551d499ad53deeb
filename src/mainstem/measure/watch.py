"""`watch(model)`: what happens inside anybody's model while it trains."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ..errors import BadInput
from ..slope import slope
from . import taps, targets_seen
from .hooks import Hooks
from .passes import INPUT, Pass
from .quantity import QUANTITIES, Quantity
from .quantity.dead import DeadUnits
from .samples import Samples
from .seen import Seen
from .steps import Steps
from .tree import Tree
from .updates import Updates
from .watchable import Every, check, check_inputs, periods

if TYPE_CHECKING:
    from .diagnose import Finding
    from .figure import Drawn

_WATCHED = "_mainstem_watched"


def watch(model: nn.Module, every: Every = 1, optimizer: torch.optim.Optimizer | None = None) -> Watch:
    """Measure `model` inside a ``with``: every quantity of `mainstem.measure.quantity`, in each forward pass.

    A pass in which nothing is due has one hook, on the model. Outputs stay the same to the bit, but those of
    torch's encoders in evaluation, whose fast path leaves padding out and takes no layer with a hook. Each call of a
    block that is called repeatedly is a tap of its own, as `block#2`; one that stands in no list is found by its use in
    the first pass, which a warning says. A layer that returns a branch alone, whose sum the model makes, is named by a
    warning: its stream is not what later layers read. A copy of the model is not watched; one that lies in parts on
    several processes is to be watched by all of them.

    Args:
        model: anybody's module.
        every: n measures each n-th forward pass. A mapping says n by the quantity's name, and leaves out the others:
            ``{"gradient_flow": 1, "similarity": 100}``.
        optimizer: lets `diagnose` judge its groups before its first step. Each one that steps in the ``with`` is seen
            anyway.

    Returns:
        the `Watch`, which measures inside a ``with``.

    Raises:
        BadInput: for a model without parameters, without numbers (the meta device) or compiled, for one that is watched
            already, and for a quantity that does not exist.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
        >>> for layer in model:
        ...     _ = nn.init.eye_(layer.weight)
        >>> with watch(model, every={"stream": 1}) as m:
        ...     _ = model(torch.full((1, 4), 3.0))
        >>> m.results["stream"]
        {'input': 3.0, '0': 3.0, '1': 3.0}
    """
    if not isinstance(model, nn.Module):
        raise BadInput(f"{type(model).__name__} is not a torch.nn.Module: give the model itself.")
    return Watch(model, periods(every), optimizer)


class Watch:
    """What `watch` returns. Open it with ``with``; what it has measured can be read inside and afterwards."""

    def __init__(self, model: nn.Module, periods: dict[str, int], optimizer: torch.optim.Optimizer | None) -> None:
        check(model)
        self.model = model
        self.optimizers = [] if optimizer is None else [optimizer]
        self.passes = 0
        self.record: Pass | None = None
        """The last pass that was measured."""
        self.seen, self.steps = Seen(), Steps(model, "update_ratio" in periods)
        self.curves: list[tuple[int, float, float]] = []
        self.unreached: list[str] | None = None
        self._periods = periods
        self._tree = Tree(model)
        self._dead = DeadUnits()
        self._last: dict[str, Quantity] = {}
        self._kept: dict[str, Quantity] = {}
        self._handles: list[Any] = []
        self._hooks: list[Hooks] = []
        self._running: Hooks | None = None
        self._updates = Updates(self._tree.weight)
        self._tokens: Tensor | None = None
        self._open = self._warned = False

    def __enter__(self) -> Watch:
        if self._open or watched(self.model):
            raise BadInput("The model is being watched already: leave the other `with measure.watch` first.")
        self._open = True
        object.__setattr__(self.model, _WATCHED, self)
        keep = self._handles.append
        keep(self.model.register_forward_pre_hook(self._begin, with_kwargs=True))
        keep(self.model.register_forward_hook(self._end, always_call=True))
        if "update_ratio" in self._periods:
            keep(register_optimizer_step_pre_hook(self._before_step))
            keep(register_optimizer_step_post_hook(self._after_step))
            self._handles += self.steps.listen()
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Watch:
        """Return this watch itself, which the hooks of a copied model lead to, and which listens to no copy."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove every hook. The ``with`` does so too, also after an exception."""
        self._find_unreached()
        for handle in self._handles:
            handle.remove()
        for hooks in self._hooks:
            hooks.remove()
        self._handles.clear()
        self._hooks.clear()
        self._updates.clear()
        self._running = None
        self._open = False
        if hasattr(self.model, _WATCHED):
            object.__delattr__(self.model, _WATCHED)

    @property
    def results(self) -> dict[str, dict[str, float]]:
        """Return the newest numbers of each quantity, by tap."""
        found = {}
        for kind in QUANTITIES:
            for quantity in (self._last.get(kind.name), self._kept.get(kind.name)):
                if quantity is not None and (numbers := quantity.result()):
                    found[kind.name] = numbers
                    break
        return found

    @property
    def slope(self) -> float | None:
        """Return the factor a layer on the way back, ``exp(-slope of log RMS(dL/dx_l) over l)``; 1 is neither.

        Below 1 gradients vanish, above 1 they explode. None without gradients at two taps.
        """
        values = list(self.results.get("gradient_flow", {}).values())
        found = slope([(float(i), value) for i, value in enumerate(values) if 0 < value < float("inf")])
        return None if found is None else 1 / found

    @property
    def dead_rows(self) -> dict[str, int]:
        """Return how many tokens each unit has seen, by the taps of `dead_units`."""
        return dict(self._dead.rows)

    @property
    def tokens(self) -> dict[str, int]:
        """Return of how many tokens each tap's `effective_rank` was taken, in the newest pass that took it."""
        quantity = self._last.get("effective_rank")
        return {} if quantity is None else dict(quantity.tokens)  # type: ignore[attr-defined]

    def similarity(self) -> list[list[float]]:
        """Return the linear CKA of every pair of taps of the newest pass that took `similarity`."""
        quantity = self._last.get("similarity")
        return [] if quantity is None else quantity.matrix()  # type: ignore[attr-defined]

    def taps(self) -> taps.Taps:
        """Return the named points of the model, and why those that are missing are."""
        return taps.find(self.model, self._tree.block)

    def loss(self, step: int, train: float, held_out: float) -> None:
        """Add an evaluation, both losses in eval mode, for `diagnose` to see overfitting in."""
        self.curves.append((step, train, held_out))

    def table(self, width: int = 80) -> str:
        """Return a line for each quantity: its smallest and largest number, and where they are."""
        from .table import table

        return table(self, width)

    def figure(self, name: str) -> Drawn:
        """Return the figure of one quantity, to be written with `write_html`; `BadInput` where it has no numbers."""
        from .figure import figure

        return figure(self, name)

    def diagnose(self) -> list[Finding]:
        """Return what is wrong, worst first, each with its evidence and its remedy; an empty list where nothing is."""
        from .diagnose import diagnose

        if self._open:
            self._find_unreached()
        return diagnose(self)

    def _due(self) -> list[Quantity]:
        names = [name for name, every in self._periods.items() if self.passes % every == 0]
        made = [kind() if kind is not DeadUnits else self._dead for kind in QUANTITIES if kind.name in names]
        for quantity in made:
            quantity.begin()
        return made

    def _begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if model is not self.model or torch.compiler.is_compiling():
            return
        # A call that calls the model again, or that was interrupted, is over.
        self._close_pass()
        for hooks in self._hooks:
            hooks.settle()
        quantities = self._due()
        self.passes += 1
        if not quantities:
            return
        check_inputs(self.model, args, kwargs)
        self._find_unreached()
        now = self.model.training, torch.is_grad_enabled(), Samples(args, kwargs)
        record = Pass(self.passes, quantities, *now, paths=self.seen.paths)
        while len(self._hooks) > 4:  # graphs of passes long gone need no hooks
            self._hooks.pop(0).remove()
        self._keep()
        for quantity in quantities:
            self._last[quantity.name] = quantity
        self.record, self._tokens = record, targets_seen.tokens(self.model, args, kwargs)
        self._running = Hooks(self._tree, record)
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
            self._tree = Tree(self.model, block)
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

    def _keep(self) -> None:
        """Hold on to quantities that are about to be measured anew, where they have numbers, which nobody reads yet."""
        due = {name for name, every in self._periods.items() if (self.passes - 1) % every == 0}
        for name in due & set(self._last):
            if self._last[name].measured:
                before = self._kept.get(name)
                if before is not None and before is not self._last[name]:
                    before.begin()  # nobody can ask for it any more, and it may hold samples of every layer
                self._kept[name] = self._last[name]

    def _before_step(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if not self.steps.mine(optimizer):
            return
        if optimizer not in self.optimizers:
            self.optimizers.append(optimizer)
        if (quantity := self._last.get("update_ratio")) is not None:
            if not quantity.measured:
                self._find_unreached()
            self._updates.begin(optimizer, quantity)

    def _after_step(self, _optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        if (quantity := self._last.get("update_ratio")) is not None:
            self._updates.end(quantity)

    def _find_unreached(self) -> None:
        """Note which parameters no backward pass gave a gradient, while there are gradients to see.

        What one pass leaves out, as a layer by layer drop, another one may reach.
        """
        if self.unreached == [] or self.record is None or not self.record.backward:
            return
        named = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        if any(parameter.grad is not None for _, parameter in named):
            missed = [name for name, parameter in named if parameter.grad is None]
            before = missed if self.unreached is None else self.unreached
            still = set(missed)
            self.unreached = [name for name in before if name in still]


def watched(model: nn.Module) -> bool:
    """Return whether a watch of this very model is open; a copy of one that is watched is not."""
    watch = getattr(model, _WATCHED, None)
    return isinstance(watch, Watch) and watch.model is model


def _outside(names: list[str]) -> str:
    more = f", as it does with {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"The model itself adds what {names[0]!r} returns to what that was given{more}. So stream, similarity, "
        "effective_rank and block_influence are there those of a branch, and there is no branch_share: let a module "
        "make the sum, as mainstem.Residual does."
    )


__all__ = ["INPUT", "Watch", "watch"]
