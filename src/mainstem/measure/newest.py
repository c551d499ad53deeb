"""The newest numbers of each quantity, where not every pass takes every one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .quantity import QUANTITIES, Quantity
from .quantity.dead import DeadUnits


class Newest:
    """The quantities of the newest passes that took them.

    Args:
        periods: n, for a measurement in each n-th pass, by the names of the quantities.
    """

    def __init__(self, periods: Mapping[str, int]) -> None:
        self._periods = periods
        self._last: dict[str, Quantity] = {}
        self._kept: dict[str, Quantity] = {}
        self.dead = DeadUnits()
        """Units that have answered in any pass are alive, so all passes share one quantity."""

    def due(self, passes: int) -> list[Quantity]:
        """Return the quantities that are due after so many passes, for the next one to be measured by."""
        names = [name for name, every in self._periods.items() if passes % every == 0]
        made = [kind() if kind is not DeadUnits else self.dead for kind in QUANTITIES if kind.name in names]
        for quantity in made:
            quantity.begin()
        return made

    def replace(self, quantities: Iterable[Quantity]) -> None:
        """Take quantities of the pass that begins; what those before have measured counts until these have numbers."""
        for quantity in quantities:
            before = self._last.get(quantity.name)
            if before is not None and before.measured:
                older = self._kept.get(quantity.name)
                if older is not None and older is not before:
                    older.begin()  # nobody can ask for it any more, and it may hold samples of every layer
                self._kept[quantity.name] = before
            self._last[quantity.name] = quantity

    def get(self, name: str) -> Quantity | None:
        """Return the quantity of the newest pass that took it, with numbers or still without; None before the first."""
        return self._last.get(name)

    def results(self) -> dict[str, dict[str, float]]:
        """Return the newest numbers of each quantity, by tap."""
        found = {}
        for kind in QUANTITIES:
            for quantity in (self._last.get(kind.name), self._kept.get(kind.name)):
                if quantity is not None and (numbers := quantity.result()):
                    found[kind.name] = numbers
                    break
        return found
