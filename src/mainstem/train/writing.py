"""Work that goes on beside the training, one piece at a time, and whose failure is never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Writing:
    """One thread's work at a time; what that raises is raised by the next `wait` or `check`, once.

    A process does not end before its work does.

    Example:
        >>> writing, written = Writing(), []
        >>> writing.begin(lambda: written.append(1))
        >>> writing.wait()
        >>> written
        [1]
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Do `work` beside what follows, once what was begun before has ended well."""
        self.wait()

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - whatever it is, `wait` raises it
                self._error = error

        self._thread = threading.Thread(target=run, name="writing")
        self._thread.start()

    def check(self) -> None:
        """Raise what went wrong, if that is known by now; wait for nothing."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Return when everything is done; raise what went wrong."""
        if self._thread is not None:
            self._thread.join()
        error, self._thread, self._error = self._error, None, None
        if error is not None:
            raise error
