"""The lock of a run's folder: one process trains there at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInput


class Taken(BadInput):
    """Another process trains in the folder."""


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which is there. Raises `Taken` where another process holds it.

    A lock by a file's existence would be stale after a kill; `flock` ends with its process. The text is for people.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
        raise Taken(
            f"{str(path)!r} is being trained by {owner!r}: wait until it ends, or give another --out."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"host {socket.gethostname()} pid {os.getpid()}\n".encode(), 0)
