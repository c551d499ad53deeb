"""How the processes of a run meet: by a store that one of them holds, words of greeting, and torch's group."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from datetime import timedelta
from typing import Any

import torch

from ...errors import BadInput
from ..world import World
from .failure import Failure, Lost, ended
from .meeting import LIMIT, Meeting, OtherSize
from .within import Late, within

_PAUSE = 0.1
"""Seconds between two looks for the leading process."""

_WAIT = 2.0
"""Seconds that a connection to it may take, and that torch may take to say that it has taken too long."""


class Unmet(BadInput):
    """This process has not met the others of `world`; its `meeting` is None where another program may be there."""

    def __init__(self, said: str, world: World) -> None:
        super().__init__(said)
        self.world = world


def meet(world: World, arrival: timedelta) -> World:
    """Return `world` with where its processes meet, once all of them are there and torch's group is made.

    Raises:
        BadInput: where nothing says at which place they meet, `Unmet` where one does not come there within `arrival`.
    """
    rank, size = world.rank, world.size
    host = None if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" else 0
    place = _place(size)
    meeting: Meeting | None = None
    try:
        # Two connections: one waits for what torch's group needs, and would keep the words of the meeting waiting.
        words, group = (
            within(arrival.total_seconds() + _WAIT, lambda: _store(host, place, rank, size, arrival)) for _ in range(2)
        )
        # The store of torchrun outlives processes that it starts again: what those before have left is not for these.
        again = f"mainstem/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{size}"
        prefix = again if host is None else "mainstem"
        meeting = Meeting(torch.distributed.PrefixStore(f"{prefix}/meeting", words), rank, size, host)
        meeting.greet(arrival)
        within(arrival.total_seconds(), lambda: _group(torch.distributed.PrefixStore(prefix, group), rank, size))
        meeting.met = True
    except (Lost, OtherSize, Late, OSError, RuntimeError) as error:
        # A program that listens and is no store is another one, of which the leading process has spoken. It speaks of a
        # name that nobody knows, too.
        if isinstance(error, OSError) and not isinstance(error, socket.gaierror):
            meeting = Meeting(None, rank, size, host)
        found = error if meeting is None else _looked(meeting, error)
        said = _unmet(found, meeting, place, size, arrival)
        if meeting is not None and rank == host:
            with contextlib.suppress(Lost):
                meeting.fail(Failure(rank, 2, said))
        raise Unmet(said, world._replace(meeting=meeting)) from error
    return world._replace(meeting=meeting)


def _store(host: int | None, place: tuple[str, int], rank: int, size: int, arrival: timedelta) -> Any:
    """Return torch's store: the one of torchrun, or that of process 0, which waits for nobody by itself."""
    if host is None:
        return next(torch.distributed.rendezvous("env://", rank, size, timeout=arrival))[0]
    if rank != host:
        _wait(place, arrival)  # torch's own way to do that ends with a page of its calls
    return torch.distributed.TCPStore(
        *place, size, rank == host, timeout=arrival, wait_for_workers=False, multi_tenant=True
    )


def _group(store: Any, rank: int, size: int) -> None:
    both = torch.cuda.is_available() and torch.distributed.is_nccl_available()
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if both else "gloo", store=store, rank=rank, world_size=size, timeout=LIMIT
    )


def _unmet(error: Exception, meeting: Meeting | None, place: tuple[str, int], size: int, arrival: timedelta) -> str:
    """Return the sentence that the processes have not met at `place`, for this `error`."""
    where = repr(f"{place[0]}:{place[1]}")
    if isinstance(error, OtherSize):
        return f"{error} at {where}, and another one WORLD_SIZE={size}: start all with the same number."
    if isinstance(error, Lost) and meeting is not None and (error.ranks == (meeting.host,) or meeting.ended()):
        return f"{error.said.removesuffix('.')}, before all had met at {where}: start all {size} again."
    reason = f"not all {size} came within {arrival.total_seconds():.0f} seconds"
    if "EADDRINUSE" in str(error):
        reason = "another program listens there"
    elif not _known(*place):
        reason = "no machine of that name is known here"
    return (
        f"The {size} processes (WORLD_SIZE={size}) did not meet at {where} ({reason}): start as many, where the first "
        "one can be reached, at a free port."
    )


def _looked(meeting: Meeting, error: Exception) -> Exception:
    """Return why the processes of `meeting` have not met, where one of them is gone; else `error`."""
    meeting.hurry()
    try:
        over = meeting.ended()
        if meeting.failure() is None and over:
            error = ended(over, meeting.size)
    except Lost as lost:
        error = lost
    if isinstance(error, Lost):
        meeting.lost = error.ranks
    return error


def _place(size: int) -> tuple[str, int]:
    """Return address and port of the leading process; raise `BadInput` where none are given."""
    address, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if not address or not (port.isdecimal() and 0 < int(port) < 2**16):
        raise BadInput(
            f"MASTER_ADDR={address!r} and MASTER_PORT={port!r} are no address and no port at which {size} processes "
            "could meet: start them by torchrun, or give both to each of them."
        )
    return address, int(port)


def _known(address: str, port: int) -> bool:
    """Return whether this machine knows a machine of that name."""
    try:
        return bool(socket.getaddrinfo(address, port))
    except OSError:
        return False


def _wait(place: tuple[str, int], patience: timedelta) -> None:
    """Return as soon as some program listens there; raise `OSError` where none does within `patience`."""
    ends = time.monotonic() + patience.total_seconds()
    while True:
        try:
            socket.create_connection(place, _WAIT).close()
            return
        except OSError:
            if time.monotonic() > ends:
                raise
        time.sleep(_PAUSE)
