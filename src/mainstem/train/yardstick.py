"""The yardsticks, computed beside the training. May import `counts` and `data`."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from .. import counts, data

_NICENESS = 10


class Yardsticks:
    """What `data.yardsticks.measure` finds, made in a thread of its own, without the interpreter's lock.

    Where the system has priorities for threads, it gives way to the training. It dies with the process and ends when
    it is asked to, so that leaving never waits for it. With `prior`, what its counts make of each held-out token is
    kept too.
    """

    def __init__(self, corpus: data.Corpus, cache: Path, prior: counts.Counts | None = None) -> None:
        self._prior = prior
        self._over_tokens: data.yardsticks.OverTokens | None = None
        self._found: dict[str, float] = {}
        self._error: Exception | None = None
        self._work = counts.Work()
        self._thread = threading.Thread(target=self._measure, args=(corpus, cache), name="yardsticks", daemon=True)
        self._thread.start()

    def result(
        self, late: Callable[[], bool] = lambda: False, tell: Callable[[float], None] = lambda share: None
    ) -> dict[str, float]:
        """Return the numbers, waiting for them until ``late()``; what could not be computed is left out.

        ``tell(share)`` is called meanwhile with how much of the present piece is done.
        """
        while self._thread.is_alive() and not late():  # in short waits, so that a signal is heard in between
            self._thread.join(0.2)
            if self._thread.is_alive():
                tell(self._work.share)
        if self._thread.is_alive():
            self.stop()
            self._error = TimeoutError("counts have no time left in the budget, and `mainstem evaluate` takes it")
        return self._found

    def stop(self) -> None:
        """Ask for an end, and do not wait for it."""
        self._work.stop()

    @property
    def over_tokens(self) -> data.yardsticks.OverTokens | None:
        """Return what the counts of `prior` make of the held-out tokens, once `result` has waited for them."""
        return None if self._thread.is_alive() else self._over_tokens

    @property
    def error(self) -> Exception | None:
        """Return why the numbers are missing."""
        return self._error

    def _measure(self, corpus: data.Corpus, cache: Path) -> None:
        try:
            _give_way()
            self._found = {"unigram_bpb": data.yardsticks.unigram(corpus)}
            self._found = data.yardsticks.measure(corpus, cache, self._work)
            if self._prior is not None:
                self._over_tokens = data.yardsticks.over_tokens(corpus, cache, self._work, self._prior.order)
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
