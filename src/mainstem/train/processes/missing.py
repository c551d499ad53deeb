"""Which process of a run has ended, or does not answer, where torch says only that a connection has failed."""

from __future__ import annotations

import time

from .failure import Lost, Unanswered, ended, silent
from .meeting import LIMIT, Meeting

_PAUSE = 0.02
"""Seconds between two looks."""

_MISSES = "misses"


def named(meeting: Meeting, lost: Unanswered, patience: float) -> Lost:
    """Return `lost` with the name of the process that was missing, or `lost` where that stays unclear.

    A process of this machine that has ended is seen. Any other has `patience` seconds to say that it misses one as
    well, as all do that take part in what has failed: one that says nothing is waited for, or one of those is.
    """
    size, ends = meeting.size, time.monotonic() + patience
    seconds = LIMIT.total_seconds() if lost.late else None
    try:
        meeting.leave(f"{_MISSES}/{meeting.rank}", True)
        while True:
            over = meeting.ended()
            if (failure := meeting.failure()) is not None:  # after that: a process leaves it before it ends
                return lost if failure.rank is not None else Lost(failure.sentence, failure.lost)
            mute = [rank for rank in range(size) if not meeting.has(f"{_MISSES}/{rank}")]
            if gone := [rank for rank in over if rank in mute]:
                return ended(gone, size)
            if not mute:
                return lost
            if time.monotonic() > ends:
                return silent(mute, size, seconds)
            time.sleep(_PAUSE)
    except Lost as store:  # of others that have ended meanwhile nothing is said: the same has ended them
        if not store.ranks:
            return lost
        return store if seconds is None or meeting.host in meeting.ended() else silent(store.ranks, size, seconds)
