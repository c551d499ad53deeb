"""Leaving in time: the first signal finishes the step and saves, the second stops at once. May import nothing."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Stop(BaseException):
    """The run was asked to leave; `code` is the exit code (130: SIGINT, 143: SIGTERM), `saved` whether it had saved.

    Not an `Exception`, so that no handler of errors takes it for one.
    """

    def __init__(self, code: int, saved: bool = False) -> None:
        super().__init__(f"stopped by {'SIGINT' if code == 130 else 'SIGTERM'}")
        self.code = code
        self.saved = saved


class Requests:
    """What has been asked for so far; `code` is None until a signal has come."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.patient = False

    def __call__(self, number: int, _frame: FrameType | None = None) -> None:
        """Note the signal `number`; raise `Stop` where there is no step to finish, or where it is the second one."""
        second = self.code is not None
        if self.code is None:
            self.code = _CODES[signal.Signals(number)]
        if second or not self.patient:
            raise Stop(self.code)

    @contextlib.contextmanager
    def finish_first(self) -> Iterator[None]:
        """Inside the ``with`` the first signal only sets `code`, which the loop looks at between two steps."""
        self.patient = True
        try:
            yield
        finally:
            self.patient = False


@contextlib.contextmanager
def catch() -> Iterator[Requests]:
    """Take SIGINT and SIGTERM inside the ``with``, and give the handlers back after it.

    Python delivers signals to the main thread only; in another one nothing is taken, and nobody ever asks to leave.
    """
    requests = Requests()
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    before = {number: signal.signal(number, requests) for number in _CODES}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
