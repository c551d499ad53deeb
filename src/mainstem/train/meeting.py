"""Where the processes of a run leave words for each other: at the beginning, and when something goes wrong.

A word is JSON in torch's key-value store. Who waits for one asks again and again, so that a signal is heard, a failure
elsewhere is noticed, and nobody waits for ever. Who is to leave it has to be there as well: on the same machine it is
asked whether that process still runs, and from another one it has to give signs of life. May import torch, `errors` and
its siblings.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from ..errors import BadInput, RunFailed
from . import alive
from .signals import LEAVING, Stop

LIMIT = timedelta(minutes=10)
"""How long a process waits in a reduction for the others, and how long one may be silent whose word is waited for:
longer than any step, pass or checkpoint takes."""

LONG = timedelta(hours=4)
"""How long the others wait for the first one to read and tokenize its data."""

_PAUSE = 0.02
"""Seconds between two looks for a word."""

_SIGN = 10.0
"""Seconds between two signs of life."""

_FAILED, _HEARD, _SPOKEN, _ALIVE = "failed", "heard", "spoken", "alive"


class Lost(RunFailed):
    """Another process does not answer; what has ended it may have been left in the meeting."""


class Unanswered(Lost):
    """The same, where nothing is known of which process it is: `missing.named` finds out.

    `late` is whether it was waited for in vain; else a connection has broken.
    """

    def __init__(self, said: str, late: bool = False) -> None:
        super().__init__(said)
        self.late = late


class Failure(NamedTuple):
    """What has ended process `rank`: the exit code, and the sentence that is to be said once.

    `rank` is None where a process has ended, or is silent, without a word: the sentence says which one.
    """

    rank: int | None
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
        said = self.sentence if self.rank is None else f"Process {self.rank} of {size}: {self.sentence}"
        return BadInput(said) if self.code == 2 else RunFailed(said)


class Meeting:
    """The store of `size` processes, in which this one is `rank`."""

    def __init__(self, store: Any, rank: int, size: int) -> None:
        self._store, self.rank, self.size = store, rank, size
        self._near: dict[int, alive.Process] = {}
        self._signs, self._signed, self._stayed = 0, -_SIGN, False
        self._failure: Failure | None = None

    def greet(self, limit: timedelta) -> None:
        """Wait until all processes are there, and remember those of this machine."""
        here = alive.this()
        for rank, word in enumerate(self.everyone("here", here, limit)):
            if here is not None and word is not None:
                process = alive.Process(*word)
                if process.space == here.space and alive.runs(process):
                    self._near[rank] = process

    def leave(self, key: str, word: Any) -> None:
        """Leave `word` for the processes that ask for `key`."""
        self._ask(lambda: self._store.set(key, json.dumps(word)))

    def word(self, key: str, of: int, limit: timedelta = LIMIT, gone: Callable[[], bool] = lambda: False) -> Any:
        """Return the word that process `of` leaves under `key`, as soon as it is there.

        Raises:
            Lost: where it does not come in time, process `of` has ended or is silent for longer than `LIMIT`, another
                process has failed, or this one is `gone()`.
        """
        began, silence = time.monotonic(), _Silence()
        while True:
            ended = of in self._near and not alive.runs(self._near[of])
            if self.has(key):  # looked for behind that: what was left before the end is there
                return json.loads(self._ask(lambda: self._store.get(key)))
            if self.has(_FAILED) or gone():
                raise Unanswered("Another process has failed.")
            if ended:
                raise Lost(f"Process {of} of {self.size} has ended, killed or without memory.")
            self.sign()
            if time.monotonic() - began > limit.total_seconds() or silence.of(self, of) > LIMIT.total_seconds():
                passed = time.monotonic() - began
                raise Lost(f"Process {of} of {self.size} has not answered for {passed:.0f} seconds.")
            time.sleep(_PAUSE)

    def has(self, key: str) -> bool:
        """Return whether some process has left a word under `key`."""
        return bool(self._ask(lambda: self._store.check([key])))

    def ended(self) -> list[int]:
        """Return which processes have ended, of those of this machine."""
        return [rank for rank, process in self._near.items() if not alive.runs(process)]

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Give signs of life inside the ``with``, beside what is done there; who waits for a word gives them anyway."""
        ended = threading.Event()

        def sign() -> None:
            with contextlib.suppress(Lost):
                while not ended.wait(_SIGN / 2):
                    self.sign()

        thread = threading.Thread(target=sign, name="alive", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def everyone(self, key: str, word: Any, limit: timedelta = LIMIT) -> list[Any]:
        """Leave `word` under `key`, and return what each process has left there, in the order of their ranks."""
        self.leave(f"{key}/{self.rank}", word)
        return [self.word(f"{key}/{rank}", rank, limit) for rank in range(self.size)]

    def fail(self, failure: Failure) -> None:
        """Leave word of what has ended this process; the first one to fail is heard."""
        self._ask(lambda: self._store.compare_set(_FAILED, "", json.dumps(failure)))
        self.leave(f"{_HEARD}/{self.rank}", True)

    def failure(self, patience: float = 0.0) -> Failure | None:
        """Return what has ended some process, None where none has said so within `patience` seconds.

        It is kept: no process waits for one that has heard it, so that the store may be gone at the next question.
        """
        ends = time.monotonic() + patience
        while self._failure is None:
            if self.has(_FAILED):
                self._failure = Failure(*json.loads(self._ask(lambda: self._store.get(_FAILED))))
                self.leave(f"{_HEARD}/{self.rank}", True)
            elif time.monotonic() > ends:
                return None
            else:
                time.sleep(_PAUSE)
        return self._failure

    def stay(self, patience: float) -> None:
        """Wait, where a process has failed, until all that still run know of it, or for `patience` seconds; once.

        The store ends with the leading process: what it holds would be lost to those that have not looked yet.
        """
        if self._stayed or not self.has(_FAILED):
            return
        self._stayed, ends = True, time.monotonic() + patience
        while time.monotonic() < ends:
            gone = self.ended()
            if all(self.has(f"{_HEARD}/{rank}") for rank in range(self.size) if rank not in gone):
                return
            time.sleep(_PAUSE)

    def spoken(self) -> None:
        """Say that the leading process has written its sentence, so that the others may end."""
        self.leave(_SPOKEN, True)

    def hear(self, patience: float) -> None:
        """Wait until the leading process has spoken, or for `patience` seconds."""
        ends = time.monotonic() + patience
        while time.monotonic() < ends and not self.has(_SPOKEN):
            time.sleep(_PAUSE)

    def signs(self, rank: int) -> int:
        """Return how many signs of life process `rank` has given."""
        key = f"{_ALIVE}/{rank}"
        return int(json.loads(self._ask(lambda: self._store.get(key)))) if self.has(key) else 0

    def sign(self) -> None:
        """Give a sign of life, where the last one is some time ago."""
        if time.monotonic() - self._signed >= _SIGN:
            self._signs, self._signed = self._signs + 1, time.monotonic()
            self.leave(f"{_ALIVE}/{self.rank}", self._signs)

    def _ask(self, what: Callable[[], Any]) -> Any:
        try:
            return what()
        except RuntimeError as error:  # the process that holds the store has ended
            raise Lost("The process that the others met at has ended.") from error


class _Silence:
    """For how long a process has given no sign of life, as far as this one has seen."""

    def __init__(self) -> None:
        self._signs, self._looked, self._since = -1, -_SIGN, time.monotonic()

    def of(self, meeting: Meeting, rank: int) -> float:
        """Return the seconds since the signs of process `rank` became more; they are looked at now and then."""
        now = time.monotonic()
        if now - self._looked >= _SIGN:
            self._looked, before, self._signs = now, self._signs, meeting.signs(rank)
            if self._signs != before:
                self._since = now
        return now - self._since
