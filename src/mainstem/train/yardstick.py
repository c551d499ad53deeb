"""The yardsticks, computed beside the training."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from .. import counts, data
from .phases import Clock

_NICENESS = 10

_GRACE = 1.0
"""Seconds for which counts that are to be mixed with the network are waited for though it is late: what reading them
takes where an earlier process has counted."""

_STAGES = {"counts_tokens_bpb": "counts", "repeated_share": "counts over bytes"}
"""What there was no time for where one of the yardsticks is not there, the first ones first."""


class Yardsticks:
    """What `data.yardsticks.measure` finds, made in a thread of its own, without the interpreter's lock.

    With `prior`, what its counts make of each held-out token is kept too, as soon as it is known. In a `hurry`, as in a
    budget, that has the priority of the training: it takes little more than a second for three million tokens, and a
    short budget would end without it. Everything else gives way to the training, where the system has priorities for
    threads. The thread dies with the process and ends when it is asked to, so that leaving never waits for it.
    """

    def __init__(
        self, corpus: data.Corpus, cache: Path, prior: counts.Counts | None = None, hurry: bool = False
    ) -> None:
        self._prior = prior
        self._hurry = hurry and prior is not None
        self._over_tokens: data.yardsticks.OverTokens | None = None
        self._found: dict[str, float] = {}
        self._error: Exception | None = None
        self._work = counts.Work()
        self._thread = threading.Thread(target=self._measure, args=(corpus, cache), name="yardsticks", daemon=True)
        self._thread.start()

    def result(
        self,
        late: Callable[[], bool] = lambda: False,
        tell: Callable[[float], None] = lambda share: None,
        clock: Clock = perf_counter,
    ) -> dict[str, float]:
        """Return the numbers, waiting for them until ``late()``; what could not be computed is left out.

        ``tell(share)`` is called meanwhile with how much of the present piece is done.
        """
        began = clock()
        while self._thread.is_alive():  # in short waits, so that a signal is heard in between
            awaited = self._prior is not None and self._over_tokens is None and clock() - began < _GRACE
            if late() and not awaited:
                break
            self._thread.join(0.2)
            if self._thread.is_alive():
                tell(self._work.share)
        if self._thread.is_alive():
            self.stop()
            missing = next((what for name, what in _STAGES.items() if name not in self._found), "all")
            self._error = TimeoutError(f"the budget has no time left for {missing}, and `mainstem evaluate` takes it")
        return self._found

    def stop(self) -> None:
        """Ask for an end, and do not wait for it."""
        self._work.stop()

    @property
    def over_tokens(self) -> data.yardsticks.OverTokens | None:
        """Return what the counts of `prior` make of the held-out tokens, once that is known."""
        return self._over_tokens

    @property
    def error(self) -> Exception | None:
        """Return why the numbers, or some of them, are missing."""
        return self._error

    def _measure(self, corpus: data.Corpus, cache: Path) -> None:
        try:
            if not self._hurry:
                _give_way()
            for found in data.yardsticks.stages(corpus, cache, self._work):
                self._found = found
                if self._prior is not None and self._over_tokens is None and "counts_tokens_bpb" in found:
                    order = self._prior.order
                    self._over_tokens = data.yardsticks.over_tokens(corpus, cache, self._work, order)
                    if self._hurry:
                        _give_way()
        except counts.Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it to tell; `error` does
            self._error = error


def _give_way() -> None:
    """Lower the priority of this thread alone, where the number of a thread stands for one, as on Linux."""
    if sys.platform == "linux":
        own = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + _NICENESS))
