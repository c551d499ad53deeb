"""Where the time of a step goes, for two clock readings a phase.

On a GPU the host runs ahead, so a phase there is the time of launching it; the sum over many steps is still the time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from ..runs.metrics import PHASES

Clock = Callable[[], float]
"""Seconds since some moment. It is handed over, so that a test can give a clock that it knows."""


class Phases:
    """Seconds since the last `take`, by phase; each `mark` names what has just ended."""

    def __init__(self, clock: Clock = perf_counter) -> None:
        self._clock = clock
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._last = self._clock()

    def mark(self, name: str) -> None:
        """Count the time since the last mark as `name`."""
        now = self._clock()
        self._seconds[name] += now - self._last
        self._last = now

    def skip(self) -> None:
        """Count the time since the last mark as nothing."""
        self._last = self._clock()

    def take(self) -> dict[str, float]:
        """Return the seconds of every phase that took any, and begin again from zero."""
        taken = {name: round(seconds, 6) for name, seconds in self._seconds.items() if seconds}
        self._seconds = dict.fromkeys(PHASES, 0.0)
        return taken
