"""A call that is waited for no longer than is said, as one to a process that may be stopped.

torch's store has time limits of its own, and they do not hold where the process that answers is stopped: the call stays
in C++, where no signal is heard either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_NAME = "mainstem-within"


class Late(Exception):
    """A call has not come to an end in time."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` comes to, or raise what it raises, or `Late` after `seconds`; a late call is left alone.

    Example:
        >>> within(60, lambda: 1)
        1
    """
    found: list[Any] = []

    def make() -> None:
        try:
            found.extend((True, call()))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            found.extend((False, error))

    thread = threading.Thread(target=make, name=_NAME, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise Late
    well, value = found
    if not well:
        raise value
    return value


def hangs() -> bool:
    """Return whether a late call has still not come to an end.

    Python must not end in its usual way then: if the call returned meanwhile, its thread would be ended inside of C++,
    which aborts the process.
    """
    return any(thread.name == _NAME for thread in threading.enumerate())
