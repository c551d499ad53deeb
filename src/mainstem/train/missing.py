"""Which process of a run has ended, or does not answer, where torch says only that a connection has failed.

May import its siblings.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from .meeting import LIMIT, Lost, Meeting, Unanswered

_PAUSE = 0.02
"""Seconds between two looks."""

_MISSES = "misses"


def named(meeting: Meeting, lost: Unanswered, patience: float) -> Lost:
    """Return `lost` with the name of the process that was missing, or `lost` where that stays unclear.

    A process of this machine that has ended is seen. Any other has `patience` seconds to say that it misses one as
    well, as all do that take part in what has failed: who says nothing is the one that is waited for, or one of them.
    """
    size, ends = meeting.size, time.monotonic() + patience
    try:
        meeting.leave(f"{_MISSES}/{meeting.rank}", True)
        while True:
            ended = meeting.ended()
            if (failure := meeting.failure()) is not None:  # after that: a process leaves it before it ends
                return lost if failure.rank is not None else Lost(failure.sentence)
            silent = [rank for rank in range(size) if not meeting.has(f"{_MISSES}/{rank}")]
            if gone := [rank for rank in ended if rank in silent]:
                return Lost(_gone(gone, size))
            if not silent:
                return lost
            if time.monotonic() > ends:
                return Lost(_silent(silent, size, lost.late))
            time.sleep(_PAUSE)
    except Lost:  # what they met at has gone with the process that held it
        return Lost(_gone(gone, size)) if (gone := meeting.ended()) else lost


def _gone(ranks: Sequence[int], size: int) -> str:
    """Return the sentence that these processes have ended.

    Example:
        >>> _gone([1], 4)
        'Process 1 of 4 has ended, killed or without memory.'
        >>> _gone([1, 3], 4)
        'Processes 1 and 3 of 4 have ended, killed or without memory.'
    """
    who = f"Process {ranks[0]} of {size} has" if len(ranks) == 1 else f"Processes {_listed(ranks)} of {size} have"
    return f"{who} ended, killed or without memory."


def _silent(ranks: Sequence[int], size: int, late: bool) -> str:
    """Return the sentence that one of these processes is silent.

    Example:
        >>> _silent([1], 2, late=False)
        'Process 1 of 2 has ended, cannot be reached or does not answer.'
        >>> _silent([1, 2, 3], 4, late=True)
        'One of processes 1, 2 and 3 of 4 has not answered for 600 seconds.'
    """
    who = f"Process {ranks[0]}" if len(ranks) == 1 else f"One of processes {_listed(ranks)}"
    what = f"has not answered for {LIMIT.total_seconds():.0f} seconds"
    return f"{who} of {size} {what if late else 'has ended, cannot be reached or does not answer'}."


def _listed(ranks: Sequence[int]) -> str:
    return f"{', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"
