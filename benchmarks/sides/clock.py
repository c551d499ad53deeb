"""What a side has used of its budget: CPU seconds of its process and of the processes that it started, over two cores.

The count begins when the process begins, so that starting Python and loading PyTorch are in it.
"""

from __future__ import annotations

import resource

CORES = 2


def used() -> float:
    """Return CPU seconds of this process and of those it has waited for, divided by `CORES`."""
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in usage) / CORES


class Budget:
    """A budget in seconds, and the share of it that is used."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @property
    def share(self) -> float:
        return min(1.0, used() / self.seconds)
