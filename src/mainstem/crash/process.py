"""A program that is run to its end or killed at a moment, with all that it has started."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from ..errors import BadInput

_MARK = "MAINSTEM_CRASH"
"""The variable by which all that a program has started is found, in whatever group or session it is."""

_ROUNDS, _PAUSE = 200, 0.01
"""How often what is left of a program is looked for, and how long we wait in between."""
_SAID = 1 << 20


class Ended(NamedTuple):
    """How a program ended: its exit code, or None where it was killed; after how long; and what it wrote last.

    `appeared` is after how long the folder was there that was watched.
    """

    code: int | None
    seconds: float
    said: str
    appeared: float | None


def run(words: Sequence[str], log: Path, limit: float, watch: Path | None = None, after: float | None = None) -> Ended:
    """Run a program for at most `limit` seconds, then kill it and every process that it has started.

    What it writes goes to `log`. `watch` is a folder that it makes; `after` so many seconds from then on it is killed,
    however long it took to come to that. Where it ends by itself, what it has left running is killed too. Raises
    `BadInput` where it cannot be started.
    """
    mark = uuid.uuid4().hex
    began = time.monotonic()
    with log.open("wb") as out:
        process = _started(words, out, mark)
        end, appeared = began + limit, None
        try:
            while True:
                looks, left = watch is not None and appeared is None, end - time.monotonic()
                code = _wait(process, min(left, _PAUSE) if looks else left)
                if watch is not None and looks and watch.exists():
                    appeared = time.monotonic() - began
                    end = end if after is None else began + appeared + after
                if code is not None or time.monotonic() >= end:
                    break
        finally:
            _kill(process, mark)
    return Ended(code, time.monotonic() - began, _last(log), appeared)


def _started(words: Sequence[str], out: IO[bytes], mark: str) -> subprocess.Popen[bytes]:
    """Start a program; `BadInput` where the system refuses, as it does a script without its interpreter's name."""
    try:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, _MARK: mark},
        )  # fmt: skip
    except OSError as error:
        raise BadInput(
            f"{words[0]!r} cannot be started ({error.strerror or error}): put in front what runs it, as in `sh "
            f"{shlex.quote(words[0])}`."
        ) from None


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Return the exit code of a program that ends within so many seconds, else None."""
    try:
        return process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return None


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill the program's process group, then what it has put into others, as launchers of several processes do."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(_ROUNDS):
        left = _marked(mark)
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)


def _marked(mark: str) -> list[int]:
    """Return the processes whose environment has `mark`; none where the system does not show it."""
    wanted, found = f"{_MARK}={mark}".encode(), []
    with contextlib.suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if wanted in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                    found.append(int(name))
    return found


def _last(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _SAID))
        return stream.read().decode(errors="replace")
