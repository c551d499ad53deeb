"""Stochastic weight averaging."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadInput
from .ema import Rule


@dataclass(frozen=True)
class SWA(Rule):
    """The plain mean of the weights after each update from number `begin` on, counted from 0; before it the weights.

    d = n / (n + 1) for the n updates since then.

    Args:
        begin: how many updates are left out.

    Raises:
        BadInput: `begin` is negative.

    Source:
        Izmailov et al., "Averaging weights leads to wider optima" (arXiv 1803.05407), algorithm 1, with a cycle of one
        step.
        Read: code of the authors (timgaripov/swa).
        Differs: weights of every step, where theirs are of an epoch's end; no learning rate of its own.

    Example:
        >>> [SWA(begin=2).decay(t) for t in range(5)]
        [0.0, 0.0, 0.0, 0.5, 0.6666666666666666]
    """

    begin: int = 0

    def __post_init__(self) -> None:
        if self.begin < 0:
            raise BadInput(f"An average cannot begin at update {self.begin}: give 0 or more.")

    def decay(self, updates: int) -> float:
        since = max(0, updates - self.begin)
        return since / (since + 1)
