"""Work in a thread of its own: how much of it is done, and a wish that it end."""

from __future__ import annotations

import ctypes


class Stopped(Exception):
    """The work was asked to end before it was complete."""


class Work:
    """What the thread that counts and the one that waits for it share.

    Example:
        >>> work = Work()
        >>> work.share
        0.0
        >>> work.stop()
        >>> work.tell(0.5)
        Traceback (most recent call last):
        ...
        mainstem.counts.work.Stopped
    """

    def __init__(self) -> None:
        self.stop_flag = ctypes.c_int32(0)
        self.thousandths = ctypes.c_int64(0)

    @property
    def share(self) -> float:
        """Return the share of the present piece of work that is done, from 0 to 1."""
        return self.thousandths.value / 1000

    def stop(self) -> None:
        """Ask the counting thread to end; it raises `Stopped` within a moment."""
        self.stop_flag.value = 1

    def tell(self, share: float) -> None:
        """Note the share that is done; raises `Stopped` where an end was asked for."""
        if self.stop_flag.value:
            raise Stopped
        self.thousandths.value = int(1000 * share)
