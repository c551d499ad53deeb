"""Listeners are told what happens in a run: metrics.jsonl, the console, TensorBoard, and whatever somebody adds."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import config
from .state import Best


class Start(NamedTuple):
    """A run that begins or goes on: its configuration, its folder, the steps taken already, those there will be."""

    run: config.Run
    folder: Path
    step: int
    steps: int
    facts: dict[str, Any]


class Outcome(NamedTuple):
    """What a run came to; `reason` is steps, patience or pruned, `best` its best held-out pass, `path` its folder.

    `skipped` is how many of its steps were left out, as a number was not finite, `spikes` how many for their gradient.
    """

    reason: str
    best: Best
    seconds: float
    path: Path
    skipped: int = 0
    spikes: int = 0


class Listener:
    """Told what happens in a run, in this order; every method does nothing unless it is overridden.

    What a method raises ends the run as any other failure does: the last checkpoint is kept, and the run can go on.
    A run that goes on tells again what it had told between its last checkpoint and its interruption.

    Example:
        >>> class Losses(Listener):
        ...     def __init__(self):
        ...         self.found = []
        ...     def stepped(self, line):
        ...         self.found.append(line["loss"])
        >>> losses = Losses()  # train.run(run, listeners=[losses])
    """

    def began(self, start: Start) -> None:
        """Hear that a run begins, or goes on from ``start.step``."""

    def planned(self, steps: int) -> None:
        """Hear that the run, which has a budget, is to end after another number of steps than it was."""

    def stepped(self, line: dict[str, Any]) -> None:
        """Hear of a step: its line of metrics.jsonl, complete. Lines may come several at once, always in order."""

    def evaluated(self, step: int, scores: Best) -> bool | None:
        """Hear of a held-out pass, that before the first step included; return True to have the run end here."""

    def ended(self, outcome: Outcome | None) -> None:
        """Hear that the run is over, or (None) that it was interrupted or has failed, and may go on."""


class Listeners(Listener):
    """Several listeners as one, told in their order."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._all = list(listeners)

    def began(self, start: Start) -> None:
        """Tell all of them; where one raises something, those before it hear that the run has failed."""
        with contextlib.ExitStack() as stack:
            for each in self._all:
                each.began(start)
                stack.callback(each.ended, None)
            stack.pop_all()

    def planned(self, steps: int) -> None:
        for each in self._all:
            each.planned(steps)

    def stepped(self, line: dict[str, Any]) -> None:
        for each in self._all:
            each.stepped(line)

    def evaluated(self, step: int, scores: Best) -> bool:
        """Tell all of them, and return whether any asks for an end."""
        asked = [each.evaluated(step, scores) for each in self._all]
        return any(asked)

    def ended(self, outcome: Outcome | None) -> None:
        """Tell all of them, whatever one of them raises, and raise that then."""
        with contextlib.ExitStack() as stack:
            for each in reversed(self._all):
                stack.callback(each.ended, outcome)
