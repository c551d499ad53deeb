"""The two yardsticks, computed beside the training. May import `data`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from .. import data


class Yardsticks:
    """Bits per byte of the held-out part under a unigram model and under lzma, made in a thread of their own.

    lzma works without the interpreter's lock. The thread dies with the process, so that leaving never waits for it.
    """

    def __init__(self, corpus: data.Corpus, cache: Path) -> None:
        self._found: dict[str, float] = {}
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, args=(corpus, cache), name="yardsticks", daemon=True)
        self._thread.start()

    def result(self, late: Callable[[], bool] = lambda: False) -> dict[str, float]:
        """Return the numbers, waiting for them until ``late()``; what could not be computed is left out."""
        while self._thread.is_alive() and not late():  # in short waits, so that a signal is heard in between
            self._thread.join(0.2)
        if self._thread.is_alive():
            self._error = TimeoutError("lzma has no time left in the budget, and `mainstem evaluate` takes it")
        return dict(self._found)

    @property
    def error(self) -> Exception | None:
        """Return why a number is missing."""
        return self._error

    def _work(self, corpus: data.Corpus, cache: Path) -> None:
        try:
            self._found["unigram_bpb"] = data.yardsticks.unigram(corpus)
            self._found["lzma_bpb"] = data.yardsticks.lzma(corpus, cache)
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it to tell; `error` does
            self._error = error
