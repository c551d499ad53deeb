"""Where the processes of a run leave words for each other: at the beginning, and when something goes wrong.

A word is JSON in torch's key-value store. A process that waits for one asks again and again, so that a signal is heard,
a failure elsewhere is noticed, and nobody waits for ever. The process that is to leave it has to be there as well: on
the same machine the system says whether it still runs, and from another machine it has to give signs of life. The store
has to answer as well: a process of the run holds it, or a launcher.
"""

from __future__ import annotations

import contextlib
import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from . import alive
from .failure import Failure, Lost, Unanswered, ended, silent
from .within import Late, within

LIMIT = timedelta(minutes=10)
"""How long a process waits in a reduction for the others, and how long one may be silent whose word is waited for:
longer than any step, pass or checkpoint takes."""

LONG = timedelta(hours=4)
"""How long the others wait for the first one to read and tokenize its data."""

_PAUSE = 0.02
"""Seconds between two looks for a word."""

_SIGN = 10.0
"""Seconds between two signs of life."""

_ANSWER = 10.0
"""Seconds in which the store answers where it is known that something has gone wrong; it takes milliseconds."""

_ENDING = 2.0
"""Seconds after which a process has ended at the latest whose connections have broken, if it has."""

_HERE, _FAILED, _HEARD, _ALIVE = "here", "failed", "heard", "alive"


class OtherSize(Exception):
    """Process `rank` was told that there are `size` processes, and this one another number."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(f"Process {rank} was started with WORLD_SIZE={size}")


class Meeting:
    """The store of `size` processes, in which this one is `rank`; `lost` are those that it has found to be gone.

    `met` is whether all have come, as this one knows.
    `host` is the process that holds the store; None where that is a launcher. Where the store cannot be reached it is
    None.
    """

    def __init__(self, store: Any, rank: int, size: int, host: int | None = None) -> None:
        self._store, self.rank, self.size, self.host = store, rank, size, host
        self._near: dict[int, alive.Process] = {}
        self._signs, self._signed, self._stayed = 0, -_SIGN, False
        self._failure: Failure | None = None
        self._gone = self._lost(None) if store is None else None
        self._limit: float | None = None
        self.lost: Sequence[int] = ()
        self.met = False

    def greet(self, limit: timedelta) -> None:
        """Wait until all processes are there, and remember those of this machine.

        Raises:
            OtherSize: where one was told another number of processes, `Lost` where one does not come in time.
        """
        self._limit, here = max(limit.total_seconds(), _ANSWER), alive.this()
        self.leave(f"{_HERE}/{self.rank}", (self.size, here))
        for rank in range(self.size):
            size, word = self.word(f"{_HERE}/{rank}", rank, limit)
            if size != self.size:
                raise OtherSize(rank, size)
            if here is not None and word is not None:
                process = alive.Process(*word)
                if process.space == here.space and alive.runs(process):
                    self._near[rank] = process
        self._limit = None

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
            over = of in self._near and not alive.runs(self._near[of])
            if self.has(key):  # looked for behind that: what was left before the end is there
                return json.loads(self._ask(lambda: self._store.get(key)))
            if self.has(_FAILED) or gone():
                raise Unanswered("Another process has failed.")
            if over:
                raise ended([of], self.size)
            self.sign()
            if time.monotonic() - began > limit.total_seconds() or silence.of(self, of) > LIMIT.total_seconds():
                raise silent([of], self.size, time.monotonic() - began)
            time.sleep(_PAUSE)

    def has(self, key: str) -> bool:
        """Return whether some process has left a word under `key`."""
        return bool(self._ask(lambda: self._store.check([key])))

    def near(self) -> list[int]:
        """Return the processes of this machine, this one among them; none on a system that does not say."""
        return list(self._near)

    def ended(self) -> list[int]:
        """Return which processes have ended, of those of this machine."""
        return [rank for rank, process in self._near.items() if not alive.runs(process)]

    def came(self) -> list[int]:
        """Return which processes have come to the meeting, wherever they are and whether they still run or not."""
        return [rank for rank in range(self.size) if self.has(f"{_HERE}/{rank}")]

    def hurry(self) -> None:
        """Wait for the store no longer than a little: something has gone wrong, and it may be that."""
        self._limit = _ANSWER

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Give signs of life inside the ``with``, beside what is done there; waiting for a word gives them anyway."""
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
                rank, code, sentence, lost = json.loads(self._ask(lambda: self._store.get(_FAILED)))
                self._failure = Failure(rank, code, sentence, tuple(lost))
                with contextlib.suppress(Lost):  # the store has gone behind that: what it said is known
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

    def claim(self, key: str) -> bool:
        """Return whether this process is the first to claim `key`."""
        own = str(self.rank)
        return bytes(self._ask(lambda: self._store.compare_set(key, "", own))) == own.encode()

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
        """Return what the store says; one that has broken or has not answered is not asked again."""
        limit = min(LIMIT.total_seconds(), self._limit or LIMIT.total_seconds())
        if self._gone is None:
            try:
                return within(limit, what)
            except Late:
                self._gone = self._lost(limit)
            except RuntimeError:  # the process that holds the store has ended
                self._gone = self._lost(None)
        raise copy.copy(self._gone)

    def _lost(self, seconds: float | None) -> Lost:
        """Return what there is to say of the store, which has not answered for `seconds`, or has broken."""
        if self.host is None:
            how = "ended" if seconds is None else f"not answered for {seconds:.0f} seconds"
            return Lost(f"The process that the others met at has {how}.")
        ends = time.monotonic() + _ENDING
        while seconds is None and self.host in self._near and time.monotonic() < ends:
            if self.host in self.ended():
                return ended([self.host], self.size)
            time.sleep(_PAUSE)
        return silent([self.host], self.size, seconds)


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
