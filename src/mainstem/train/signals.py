"""Signals: the first one to leave finishes the step and saves, the second stops at once; another one saves alone."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

LEAVING = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
"""The signals that ask to leave, and the exit codes that say so."""

SAVE = 1
"""The code of a request to save and go on, as SIGUSR1 makes it: smaller than every exit code of one to leave."""


class Stop(BaseException):
    """The run was asked to leave; `code` is the exit code of `LEAVING`, `saved` whether it had saved.

    Not an `Exception`, so that no handler of errors takes it for one.
    """

    def __init__(self, code: int, saved: bool = False) -> None:
        names = {number: name.name for name, number in LEAVING.items()}
        super().__init__(f"stopped by {names.get(code, 'SIGTERM')}")
        self.code = code
        self.saved = saved


class Requests:
    """What has been asked for so far: `code` is None until a signal to leave has come, `save` whether one to save."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.patient = False
        self.save = False

    @property
    def asked(self) -> int:
        """The exit code to leave with, `SAVE`, or 0 for nothing."""
        return self.code or (SAVE if self.save else 0)

    def __call__(self, number: int, _frame: FrameType | None = None) -> None:
        """Note the signal `number`; raise `Stop` where there is no step to finish, or where it is the second one."""
        if number == signal.SIGUSR1:
            self.save = True
            return
        second = self.code is not None
        if self.code is None:
            self.code = LEAVING[signal.Signals(number)]
        if second or not self.patient:
            raise Stop(self.code)

    @contextlib.contextmanager
    def finish_first(self) -> Iterator[None]:
        """Inside the ``with`` the first signal only sets `code`, which the loop looks at between two steps.

        It stays so behind an error, whose sentence it would take the place of.
        """
        self.patient = True
        yield
        self.patient = False


@contextlib.contextmanager
def catch() -> Iterator[Requests]:
    """Take the signals of `LEAVING` and SIGUSR1 inside the ``with``, and give the handlers back after it.

    A SIGHUP that is ignored stays so: nohup has asked for that. Python delivers signals to the main thread only; in
    another one nothing is taken, and nobody ever asks to leave.
    """
    requests = Requests()
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    deaf = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    taken = [number for number in (*LEAVING, signal.SIGUSR1) if not (deaf and number == signal.SIGHUP)]
    before = {number: signal.signal(number, requests) for number in taken}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
