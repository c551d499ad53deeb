"""Whether a process of this machine still runs, told by what Linux says of it in /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_ENDED = "ZX"
"""What stands in the place of a state where a process has ended: Z until its parent has asked how, then X."""


class Process(NamedTuple):
    """A process: its `number` in a `space` of numbers (of one machine and container), and when it `began` there."""

    space: str
    number: int
    began: int


def this() -> Process | None:
    """Return this process; None on a system that does not say."""
    try:
        if os.readlink(_PROC / "self") != str(os.getpid()):  # what is mounted there numbers other processes
            return None
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        space = f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
        return Process(space, os.getpid(), _stat(os.getpid())[1])
    except (OSError, ValueError, IndexError):
        return None


def runs(process: Process) -> bool:
    """Return whether `process`, which is of the same space as this one, still runs: it has not ended in any way.

    One that has ended and that its parent has not yet asked for does not, nor does it run where another process has its
    number by now.
    """
    try:
        state, began = _stat(process.number)
    except (OSError, ValueError, IndexError):
        return False
    return state not in _ENDED and began == process.began


def _stat(number: int) -> tuple[str, int]:
    """Return the state of the process of this `number`, and when it began, in ticks since the machine did."""
    text = (_PROC / str(number) / "stat").read_text()
    words = text[text.rindex(")") + 1 :].split()  # behind its name, which may hold anything
    return words[0], int(words[19])
