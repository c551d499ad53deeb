"""Which process of a run says what has ended it: the leading one, and another one where that one cannot.

Exactly one speaks, and the others stay until it has: a launcher ends all that are left as soon as the first one has
ended.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from .failure import Lost
from .meeting import Meeting

_PAUSE = 0.02
"""Seconds between two looks."""

_SPEAKER, _SPOKEN, _LISTENED = "speaker", "spoken", "listened"


def hear(meeting: Meeting, patience: float) -> bool:
    """Wait until some process has spoken, or for `patience` seconds, and return whether one has."""
    with contextlib.suppress(Lost):
        if _wait(lambda: meeting.has(_SPOKEN), patience):
            meeting.leave(f"{_LISTENED}/{meeting.rank}", True)
            return True
    return False


def speaks(meeting: Meeting, launched: bool) -> bool:
    """Return whether this process, which has heard nothing, is the one that speaks in the place of the leading one.

    Where the store has gone with the leading process, the first other one of this machine that still runs speaks. Where
    the store is there and the leading process has ended, or is the one that does not answer, the first process that
    claims to speak does. A process that is `launched` leaves it to the launcher to say that the leading one has ended.
    """
    try:
        if meeting.has(_SPOKEN):
            return False
        over = 0 in meeting.ended()
        if launched and (over or 0 not in meeting.near()):
            return False
        return (over or tuple(meeting.lost) == (0,)) and meeting.claim(_SPEAKER)
    except Lost:
        return not launched and meeting.rank == _first(meeting)


def spoken(meeting: Meeting, patience: float) -> None:
    """Say that this process has spoken, and stay until all others that still run know it, or for `patience` seconds.

    One that finds neither the word nor this process would speak as well.
    """
    try:
        meeting.leave(_SPOKEN, True)
        others = [rank for rank in meeting.came() if rank != meeting.rank and rank not in meeting.lost]
        heard = [f"{_LISTENED}/{rank}" for rank in others]
        _wait(
            lambda: all(
                meeting.has(word) for rank, word in zip(others, heard, strict=True) if rank not in meeting.ended()
            ),
            patience,
        )
    except Lost:  # the others find that out by themselves, and which of them is the first
        later = [rank for rank in meeting.near() if rank > meeting.rank]
        _wait(lambda: all(rank in meeting.ended() for rank in later), patience)


def was(meeting: Meeting) -> bool:
    """Return whether some process has spoken."""
    with contextlib.suppress(Lost):
        return meeting.has(_SPOKEN)
    return False


def _first(meeting: Meeting) -> int:
    """Return the first process beside the leading one that still runs, of this machine.

    It is process 1 where the system does not say, and before all have met: they do not know of each other then.
    """
    over = meeting.ended()
    near = meeting.near() if meeting.met else []
    return min((rank for rank in near if rank > 0 and rank not in over), default=1)


def _wait(there: Callable[[], bool], patience: float) -> bool:
    """Return whether it is `there` within `patience` seconds."""
    ends = time.monotonic() + patience
    while not there():
        if time.monotonic() > ends:
            return False
        time.sleep(_PAUSE)
    return True
