"""How a process comes into the world that torchrun has put it into, and how it leaves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch

from ...errors import BadInput, RunFailed
from ..signals import Requests, Stop
from ..world import ALONE, World
from . import arriving, missing, speaking
from .failure import Failure, Lost, Unanswered

ARRIVAL = timedelta(minutes=2)
"""How long a process waits for the others to be started: they load torch, and no more, before they arrive."""

_WAIT = 2.0
"""Seconds in which all that miss a process can say so, and in which they can hear what has ended one of them."""


def join(arrival: timedelta = ARRIVAL) -> World:
    """Return the world that torchrun has put this process into; `ALONE` without torchrun.

    CPUs talk by gloo, GPUs by NCCL where it is there. No reduction waits longer than `meeting.LIMIT`.

    Raises:
        BadInput: where the variables of torchrun are there and make no world, `arriving.Unmet` where the others do not
            come in time.
    """
    given = {name: os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    rank, size, local = given.values()
    if size in ("", "1"):
        return ALONE
    if not (rank.isdecimal() and size.isdecimal() and local.isdecimal() and int(rank) < int(size)):
        said = ", ".join(f"{name}={text!r}" for name, text in given.items())
        raise BadInput(f"{said} make no group of processes: start them by torchrun, or unset all three.")
    if not torch.distributed.is_available():
        raise BadInput(f"{size} processes were started, and this torch has no torch.distributed: start one.")
    return arriving.meet(World(int(rank), int(size), int(local)), arrival)


def leave(world: World) -> None:
    """Close what `join` has opened; the leading process stays until all know what has ended one of them."""
    if world.size > 1:
        _close()
        if world.leads and world.meeting is not None:
            with contextlib.suppress(Lost):
                world.meeting.stay(_WAIT)


def named(world: World, lost: Lost) -> Lost:
    """Return `lost` with the name of the process that is missing, where that can be found out and it has none.

    A process that waits for this one in a reduction waits no longer then, and says so. Nor is the store waited for any
    longer than it takes to answer.
    """
    if world.meeting is None:
        return lost
    world.meeting.hurry()
    if not isinstance(lost, Unanswered):
        return lost
    _close()
    return missing.named(world.meeting, lost, _WAIT).advised(lost.remedy)


def _close() -> None:
    """Close torch's group, where it is open."""
    if torch.distributed.is_initialized():
        with contextlib.suppress(RuntimeError):  # of others that have gone already
            torch.distributed.destroy_process_group()


@contextlib.contextmanager
def told(world: World, requests: Requests) -> Iterator[None]:
    """Tell the other processes what ends this one inside the ``with``, and raise here what has ended another one.

    A request to leave that comes then, as torchrun sends it to all where one has ended, changes nothing.
    """
    meeting: Any = world.meeting
    try:
        with world.heard():
            yield
    except Lost as lost:
        requests.patient = True
        known, failure = named(world, lost), None
        if meeting is not None:
            meeting.lost = known.ranks
            with contextlib.suppress(Lost):  # the store has gone with the process that held it
                failure = meeting.failure()
                if failure is None and not isinstance(known, Unanswered):
                    meeting.fail(Failure(None, 1, known.said, known.ranks))
        if failure is None or failure.rank in (None, world.rank):
            raise RunFailed(str(known)) from lost
        raise failure.error(world.size) from lost
    except BaseException as error:
        asked = isinstance(error, Stop) and error.saved  # on which all have agreed
        if meeting is not None and not asked and not isinstance(error, GeneratorExit):
            meeting.hurry()
            with contextlib.suppress(Lost):
                meeting.fail(Failure.of(world.rank, error))
        raise


def working(world: World) -> contextlib.AbstractContextManager[None]:
    """Return the context in which this process is known to be at work while the others wait for it."""
    return contextlib.nullcontext() if world.meeting is None else world.meeting.working()


def speaks(world: World, launched: bool, patience: float) -> bool:
    """Return whether this process, which does not lead, speaks in the place of the leading one.

    Nothing is heard of another one for `patience` seconds. `launched` is whether a launcher watches all of them.
    """
    meeting = world.meeting
    return meeting is not None and not speaking.hear(meeting, patience) and speaking.speaks(meeting, launched)


def spoken(world: World, patience: float) -> None:
    """Say that this process has written what there is to say, and stay for the others, `patience` seconds at most."""
    if world.meeting is not None:
        speaking.spoken(world.meeting, patience)


def silenced(world: World) -> bool:
    """Return whether another process has written what there is to say."""
    return world.meeting is not None and speaking.was(world.meeting)
