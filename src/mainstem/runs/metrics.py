"""metrics.jsonl: one object a line, each step once, in order; its writer and its reader.

The file runs ahead of the checkpoint, so a checkpoint records how long the file was, and the hash of that much; going
on from it cuts the file there. Lines are written when they are worth a system call and synced at checkpoints only.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from .. import files
from ..wording import several

_CHUNK = _LONGEST = 1 << 20


PHASES = ("data", "forward", "backward", "update", "evaluate", "save")
"""Where the time of a step goes, in its order."""


class Lost(Exception):
    """metrics.jsonl is not what the checkpoint says it was."""


class Metrics:
    """The open file; `offset` and `sha256` describe what has been written so far."""

    def __init__(self, path: Path, offset: int = 0, sha256: str | None = None, *, wait: float = 1.0) -> None:
        """Open `path` to append after its first `offset` bytes, which must have the hash `sha256`; cut the rest.

        `wait` is how many seconds lines may stay in memory. Raises `Lost` where those bytes are not there.
        """
        check(path, offset, sha256)
        self._hash = _prefix(path, offset)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        os.ftruncate(self._descriptor, offset)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        files.sync(self._descriptor)
        files.sync_folder(path.parent)
        self.offset = offset
        self._lines: list[bytes] = []
        self._wait = wait
        self._flushed = time.monotonic()

    @property
    def sha256(self) -> str:
        """Hash of the first `offset` bytes."""
        return self._hash.hexdigest()

    def append(self, line: dict[str, Any]) -> None:
        """Add one line; it reaches the file within the time that `wait` says, or at `flush`."""
        self._lines.append(msgspec.json.encode(line) + b"\n")
        if time.monotonic() - self._flushed > self._wait:
            self.flush()

    def flush(self) -> None:
        """Hand all lines to the system, so that a reader of the file sees them."""
        data = b"".join(self._lines)
        files.write_all(self._descriptor, data)
        self._hash.update(data)
        self.offset += len(data)
        self._lines.clear()
        self._flushed = time.monotonic()

    def sync(self) -> dict[str, Any]:
        """Bring all lines to the medium and return what a manifest records of them."""
        found = self.record()
        self.settle()
        return found

    def record(self) -> dict[str, Any]:
        """Flush, and return what a manifest records of all lines; they are on the medium after the next `settle`."""
        self.flush()
        return {"offset": self.offset, "sha256": self.sha256}

    def settle(self) -> None:
        """Bring what was flushed to the medium; another thread may do so while lines are added."""
        files.sync(self._descriptor)

    def close(self) -> None:
        """Close without writing what `flush` has not written: after an error there may be no room for it."""
        os.close(self._descriptor)


def check(path: Path, offset: int, sha256: str | None) -> None:
    """Raise `Lost` where the first `offset` bytes of `path` are missing or have another hash than `sha256`."""
    size = path.stat().st_size if files.is_file(path) else 0
    if size < offset:
        raise Lost(f"metrics.jsonl has {several(size, 'byte')} where there were {offset}")
    if offset and _prefix(path, offset).hexdigest() != sha256:
        raise Lost("metrics.jsonl has other bytes than it had")


def lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """Yield what the lines of the file `path` hold, whose `step` is a whole number; None for one that is none of ours.

    Everything else in a line may be of any type: `number` makes numbers of it. A file that is not there has no lines.
    """
    if not os.path.lexists(path):
        return
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in _lines(path):
        try:
            found = decode(line) if line else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = {}
        step = found.get("step")
        yield found if isinstance(step, int) and not isinstance(step, bool) and 0 <= step < 1 << 53 else None


def number(value: Any) -> float | None:
    """Return a finite number as a float, and None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and abs(found) < 1e100 else None


def _prefix(path: Path, length: int) -> hashlib._Hash:
    digest = hashlib.sha256()
    if length:
        with files.opened(path) as stream:
            while length and (chunk := stream.read(min(_CHUNK, length))):
                digest.update(chunk)
                length -= len(chunk)
    return digest


def _lines(path: Path) -> Iterator[bytes]:
    """Yield complete lines; an empty one stands for a line that is too long to be one."""
    with io.BufferedReader(files.opened(path, "give the folder of a run"), _LONGEST) as stream:
        while line := stream.readline(_LONGEST):
            if line.endswith(b"\n"):
                yield line
                continue
            while len(line) == _LONGEST and not line.endswith(b"\n"):
                line = stream.readline(_LONGEST)
            if line.endswith(b"\n"):
                yield b""
