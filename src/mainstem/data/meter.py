"""Tells how far the reading of a text has come, and gives freed memory back on the way."""

from __future__ import annotations

from collections.abc import Callable

from . import heap

_RELEASE = 1 << 26
"""Bytes of text between two times that freed memory is given back."""

Progress = Callable[[str, int, int], None]
"""Called with a stage, and how much of how much is done in it."""


class Meter:
    """Counts the bytes of one stage, of which there are about `total`; `done` never counts more."""

    def __init__(self, stage: str, total: int, progress: Progress | None) -> None:
        self.done = 0
        self._stage, self._total, self._progress = stage, total, progress
        self._released = 0

    def __call__(self, count: int) -> None:
        """Count `count` more bytes."""
        self.to(self.done + count)

    def to(self, done: int) -> None:
        """Say that `done` bytes are done."""
        self.done = done
        if done - self._released >= _RELEASE:
            self._released = done
            heap.release()
        if self._progress is not None:
            self._progress(self._stage, min(done, self._total), self._total)
