"""A soup: the mean of some weights along a training, as of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadInput
from .ema import Rule


@dataclass(frozen=True)
class Soup(Rule):
    """The plain mean of the weights after update number `begin`, counted from 0, and after every `every`-th from there.

    It is what the mean of so many checkpoints would be, without writing them. Before `begin` it is the weights. With
    `every` 1 it is `SWA`.

    Args:
        begin: how many updates are left out.
        every: updates from one of the weights to the next.

    Raises:
        BadInput: `begin` is negative or `every` below 1.

    Source:
        Wortsman et al., "Model soups" (arXiv 2203.05482), the uniform soup, here of one training, as Izmailov et al.,
        "Averaging weights leads to wider optima" (arXiv 1803.05407), algorithm 1, has it with cycles.
        Read: code of the authors (mlfoundations/model-soups).
        Differs: weights of one training, where theirs are of several.

    Example:
        >>> [Soup(begin=1, every=2).decay(t) for t in range(6)]
        [0.0, 0.0, 1.0, 0.5, 1.0, 0.6666666666666666]
    """

    begin: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        if self.begin < 0 or self.every < 1:
            raise BadInput(f"A soup of every {self.every}-th update from {self.begin} on has no weights: give 1 and 0.")

    def decay(self, updates: int) -> float:
        since = updates - self.begin
        if since < 0:
            return 0.0
        taken, rest = divmod(since, self.every)
        return 1.0 if rest else taken / (taken + 1)
