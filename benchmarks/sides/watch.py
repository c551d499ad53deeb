"""What else a machine does while a side runs: the share of its processors' time that went to other processes."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path


class Machine:
    """Watches from when it is made; children of this process count as its own once they have been waited for."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.perf_counter(), _busy(), _own()

    def others(self) -> float | None:
        """Return the share since then that others used, from 0 to 1; None where the system does not tell."""
        busy = _busy()
        if busy is None or self._busy is None:
            return None
        room = (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        return round(max(0.0, busy - self._busy - (_own() - self._own)) / room, 3)


def _busy() -> float | None:
    """Return the seconds that all processors together have not been idle."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _, _, interrupts, soft, *_ = map(int, stat.read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in usage)
