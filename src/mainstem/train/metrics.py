"""metrics.jsonl: one object a line, each step once, in order. May import `files` and `errors`.

The file runs ahead of the checkpoint, so a checkpoint records how long the file was, and the hash of that much; going
on from it cuts the file there. Lines are written when they are worth a system call and synced at checkpoints only.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from .. import files

_CHUNK = 1 << 20


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
        self.flush()
        files.sync(self._descriptor)
        return {"offset": self.offset, "sha256": self.sha256}

    def close(self) -> None:
        """Close without writing what `flush` has not written: after an error there may be no room for it."""
        os.close(self._descriptor)


def check(path: Path, offset: int, sha256: str | None) -> None:
    """Raise `Lost` where the first `offset` bytes of `path` are missing or have another hash than `sha256`."""
    size = path.stat().st_size if files.is_file(path) else 0
    if size < offset:
        raise Lost(f"metrics.jsonl has {size} bytes where there were {offset}")
    if offset and _prefix(path, offset).hexdigest() != sha256:
        raise Lost("metrics.jsonl has other bytes than it had")


def _prefix(path: Path, length: int) -> hashlib._Hash:
    digest = hashlib.sha256()
    if length:
        with files.opened(path) as stream:
            while length and (chunk := stream.read(min(_CHUNK, length))):
                digest.update(chunk)
                length -= len(chunk)
    return digest
