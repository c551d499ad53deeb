"""Units that never answer."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from .base import Quantity


class DeadUnits(Quantity):
    """The share of units behind an activation function that were never positive, over all passes so far."""

    name = "dead_units"
    title = "Dead units"
    unit = "share"
    normal: ClassVar[tuple[float, float]] = (0.0, 0.5)
    definition = "the share of units that are never > 0, over every token of every pass that was measured"
    source = "Lu et al. 2019 (1903.06733)"
    cost = "one read of each activation"
    wants: ClassVar[frozenset[str]] = frozenset({"ops"})

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[str, Tensor] = {}
        self.rows: dict[str, int] = {}
        """How many tokens or places each unit has seen."""

    @property
    def measured(self) -> bool:
        return bool(self._alive)

    def activation(self, name: str, output: Tensor) -> None:
        if output.dim() < 2:
            return
        units = output.transpose(1, -1) if output.dim() == 4 else output
        now = (units.detach() > 0).flatten(0, -2).any(0)
        before = self._alive.get(name)
        same = before is not None and before.shape == now.shape
        self._alive[name] = now | before if same and before is not None else now
        self.rows[name] = (self.rows.get(name, 0) if same else 0) + units.numel() // units.shape[-1]

    def result(self) -> dict[str, float]:
        return {name: 1 - float(alive.float().mean()) for name, alive in self._alive.items()}
