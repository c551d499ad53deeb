"""`watch(model)`: what happens inside anybody's model while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import BadInput
from ..slope import slope
from . import taps
from .measuring import Measuring
from .passes import Pass
from .watchable import Every, check, periods

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
    """What `watch` returns. Open it with ``with``; what it has measured can be read inside and afterwards.

    `optimizers` are those that have stepped, `steps` is how they did, and `seen` what passes showed beside numbers.
    """

    def __init__(self, model: nn.Module, periods: dict[str, int], optimizer: torch.optim.Optimizer | None) -> None:
        check(model)
        self.model = model
        self.optimizers = [] if optimizer is None else [optimizer]
        self.curves: list[tuple[int, float, float]] = []
        self._measuring = Measuring(model, periods, self.optimizers)
        self.seen, self.steps = self._measuring.seen, self._measuring.steps
        self._open = False

    def __enter__(self) -> Watch:
        if self._open or watched(self.model):
            raise BadInput("The model is being watched already: leave the other `with measure.watch` first.")
        self._open = True
        object.__setattr__(self.model, _WATCHED, self)
        self._measuring.open()
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Watch:
        """Return this watch itself, which a copied model leads to, and which is of no copy."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove every hook. The ``with`` does so too, also after an exception."""
        self._measuring.close()
        self._open = False
        if hasattr(self.model, _WATCHED):
            object.__delattr__(self.model, _WATCHED)

    @property
    def passes(self) -> int:
        """Return how many forward passes there were."""
        return self._measuring.passes

    @property
    def record(self) -> Pass | None:
        """Return the last pass that was measured."""
        return self._measuring.record

    @property
    def unreached(self) -> list[str] | None:
        """Return the parameters that no backward pass gave a gradient; None before the first one."""
        return self._measuring.unreached.names

    @property
    def results(self) -> dict[str, dict[str, float]]:
        """Return the newest numbers of each quantity, by tap."""
        return self._measuring.newest.results()

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
        return dict(self._measuring.newest.dead.rows)

    @property
    def tokens(self) -> dict[str, int]:
        """Return of how many tokens each tap's `effective_rank` was taken, in the newest pass that took it."""
        quantity = self._measuring.newest.get("effective_rank")
        return {} if quantity is None else dict(quantity.tokens)  # type: ignore[attr-defined]

    def similarity(self) -> list[list[float]]:
        """Return the linear CKA of every pair of taps of the newest pass that took `similarity`."""
        quantity = self._measuring.newest.get("similarity")
        return [] if quantity is None else quantity.matrix()  # type: ignore[attr-defined]

    def taps(self) -> taps.Taps:
        """Return the named points of the model, and why those that are missing are."""
        return taps.find(self.model, self._measuring.tree.block)

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
            self._measuring.look()
        return diagnose(self)


def watched(model: nn.Module) -> bool:
    """Return whether a watch of this very model is open; a copy of one that is watched is not."""
    watch = getattr(model, _WATCHED, None)
    return isinstance(watch, Watch) and watch.model is model
