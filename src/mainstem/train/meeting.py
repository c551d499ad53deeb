"""Where the processes of a run leave words for each other: at the beginning, and when something goes wrong.

A word is JSON in torch's key-value store. Who waits for one asks again and again, so that a signal is heard, a failure
elsewhere is noticed, and nobody waits for ever. May import torch and `errors`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from ..errors import BadInput, RunFailed
from .signals import LEAVING, Stop

LIMIT = timedelta(minutes=10)
"""How long a process waits in a reduction for the others: longer than any step, pass or checkpoint takes."""

LONG = timedelta(hours=4)
"""How long the others wait for the first one to read and tokenize its data."""

_PAUSE = 0.02
"""Seconds between two looks for a word."""

_FAILED, _HEARD, _SPOKEN = "failed", "heard", "spoken"


class Lost(RunFailed):
    """Another process does not answer; what has ended it may have been left in the meeting."""


class Failure(NamedTuple):
    """What has ended process `rank`: the exit code, and the sentence that is to be said once."""

    rank: int
    code: int
    sentence: str

    @classmethod
    def of(cls, rank: int, error: BaseException) -> Failure:
        """Return what `error` is to the other processes."""
        if isinstance(error, BadInput):
            return cls(rank, 2, str(error))
        if isinstance(error, RunFailed):
            return cls(rank, 1, str(error))
        if isinstance(error, Stop):
            return cls(rank, error.code, str(error))
        return cls(rank, 1, f"{type(error).__name__}: {error}")

    def error(self, size: int) -> BaseException:
        """Return what another one of `size` processes raises for it."""
        if self.code in LEAVING.values():
            return Stop(self.code)
        said = f"Process {self.rank} of {size}: {self.sentence}"
        return BadInput(said) if self.code == 2 else RunFailed(said)


class Meeting:
    """The store of `size` processes, in which this one is `rank`."""

    def __init__(self, store: Any, rank: int, size: int) -> None:
        self._store, self.rank, self.size = store, rank, size

    def leave(self, key: str, word: Any) -> None:
        """Leave `word` for the processes that ask for `key`."""
        self._ask(lambda: self._store.set(key, json.dumps(word)))

    def word(self, key: str, limit: timedelta = LIMIT, gone: Callable[[], bool] = lambda: False) -> Any:
        """Return the word left under `key`, as soon as it is there.

        Raises:
            Lost: where it does not come in time, another process has failed, or this one is `gone()`.
        """
        ends = time.monotonic() + limit.total_seconds()
        while not self._there(key):
            if self._there(_FAILED) or gone():
                raise Lost("Another process has failed.")
            if time.monotonic() > ends:
                raise Lost(f"Another process has not answered for {limit.total_seconds():.0f} seconds.")
            time.sleep(_PAUSE)
        return json.loads(self._ask(lambda: self._store.get(key)))

    def everyone(self, key: str, word: Any, limit: timedelta = LIMIT) -> list[Any]:
        """Leave `word` under `key`, and return what each process has left there, in the order of their ranks."""
        self.leave(f"{key}/{self.rank}", word)
        return [self.word(f"{key}/{rank}", limit) for rank in range(self.size)]

    def fail(self, failure: Failure) -> None:
        """Leave word of what has ended this process; the first one to fail is heard."""
        self._ask(lambda: self._store.compare_set(_FAILED, "", json.dumps(failure)))
        self.leave(f"{_HEARD}/{self.rank}", True)

    def failure(self, patience: float = 0.0) -> Failure | None:
        """Return what has ended some process, None where none has said so within `patience` seconds."""
        ends = time.monotonic() + patience
        while not self._there(_FAILED):
            if time.monotonic() > ends:
                return None
            time.sleep(_PAUSE)
        found = Failure(*json.loads(self._ask(lambda: self._store.get(_FAILED))))
        self.leave(f"{_HEARD}/{self.rank}", True)
        return found

    def stay(self, patience: float) -> None:
        """Wait, where a process has failed, until all know of it, or for `patience` seconds.

        The store ends with the leading process: what it holds would be lost to those that have not looked yet.
        """
        if not self._there(_FAILED):
            return
        ends = time.monotonic() + patience
        known = [f"{_HEARD}/{rank}" for rank in range(self.size)]
        while time.monotonic() < ends and not all(map(self._there, known)):
            time.sleep(_PAUSE)

    def spoken(self) -> None:
        """Say that the leading process has written its sentence, so that the others may end."""
        self.leave(_SPOKEN, True)

    def hear(self, patience: float) -> None:
        """Wait until the leading process has spoken, or for `patience` seconds."""
        ends = time.monotonic() + patience
        while time.monotonic() < ends and not self._there(_SPOKEN):
            time.sleep(_PAUSE)

    def _there(self, key: str) -> bool:
        return bool(self._ask(lambda: self._store.check([key])))

    def _ask(self, what: Callable[[], Any]) -> Any:
        try:
            return what()
        except RuntimeError as error:  # the process that holds the store has ended
            raise Lost("The process that the others met at has ended.") from error
