"""What says without reading whether a file is still the one that was read: its size and the time of its last change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

_TICK, _COARSE = 20_000_000, 2_000_000_000
"""Nanoseconds in which two changes of a file may get the same time: a file system takes the time from a clock that
ticks every 1 to 10 ms, and some keep whole seconds, or every second one, alone."""


class Stamp(NamedTuple):
    """Size in bytes, time of the last change in nanoseconds, and rights, of a file."""

    size: int
    changed: int
    mode: int


def stamp(file: str | os.PathLike[str] | int) -> Stamp:
    """Return the stamp of a path or a descriptor. Raises `OSError` where there is none."""
    status = os.stat(file)
    return Stamp(status.st_size, status.st_mtime_ns, status.st_mode)


def wait(stamps: Iterable[Stamp | None]) -> None:
    """Return once every change from now on gives a file of these stamps another one: after a tick of the clock."""
    now = time.time_ns()
    times = [each.changed for each in stamps if each is not None and each.changed <= now]
    left = max((changed + (_TICK if changed % 1_000_000_000 else _COARSE) - now for changed in times), default=0)
    if left > 0:
        time.sleep(left / 1e9)
