"""Folders of finished work in a cache: written whole or not at all, and noticed when damaged.

A folder appears under its name by one rename, when all of it is synced. Any number of processes may share a cache: who
works on a folder holds a lock on it, so that only what a kill has left is swept away.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from .. import files
from ..errors import BadInput
from .names import shown

with contextlib.suppress(ImportError):  # Windows has none, and nothing is cached there
    import fcntl

MANIFEST = "manifest.json"
_LIMIT = 1 << 26

_log = logging.getLogger(__name__)


class Content(Struct):
    """What a manifest must hold: size and SHA-256 of each file. A store that keeps more subclasses it."""

    files: dict[Annotated[str, Meta(pattern="^[a-z_]+([.][a-z]+)?$")], tuple[files.Count, str]]


class _Manifest(Struct):
    content: dict[str, Any]


class Writer:
    """Appends arrays to a new file and keeps its checksum."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        self._digest, self._size = hashlib.sha256(), 0

    def append(self, values: NDArray[Any]) -> None:
        data = np.ascontiguousarray(values).tobytes()
        files.write_all(self._descriptor, data)
        self._digest.update(data)
        self._size += len(data)

    def finish(self) -> files.Entry:
        """Sync the file and return what it must still be when it is read."""
        files.sync(self._descriptor)
        self.close()
        return files.Entry(self._size, self._digest.hexdigest())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def find(cache: Path, name: str, kind: type[Content] = Content) -> dict[str, Any] | None:
    """Return the manifest of the folder `name` where it is there, whole and a `kind`, else None."""
    folder = cache / name
    if not files.is_folder(folder):
        return None
    try:
        content = load(folder / MANIFEST, kind)
        for file, entry in content["files"].items():
            if files.measure(folder / file) != files.Entry(*entry):
                raise files.Unusable(file, "differs from what was written")
    except files.Unusable as error:
        why = f"{error.path.name} {error.why}"
        _log.warning("The cache %s is damaged (%s): its tokens are made again.", shown(folder), why)
        return None
    return content


def make(
    cache: Path, name: str, fill: Callable[[Path], dict[str, Any]], kind: type[Content] = Content
) -> dict[str, Any]:
    """Have `fill` write a folder and return its content, add the manifest, and let the whole appear as `name`.

    The content is a `kind`, in JSON values. Where another process was faster, its folder stands. Raises `BadInput`
    where the cache cannot be written.
    """
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with _new(cache, name) as new:
            content = fill(new)
            files.write_synced(new / MANIFEST, _sealed(content))
            files.sync_folder(new)
            with files.locked(cache):
                found = find(cache, name, kind)
                if found is not None:
                    return found
                if os.path.lexists(cache / name):
                    files.remove(cache / name)
                os.replace(new, cache / name)
                files.sync_folder(cache)
            return content


@contextlib.contextmanager
def writing(cache: Path) -> Iterator[None]:
    """Raise `BadInput` where the cache cannot be written inside the ``with``."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"The cache of tokens in {shown(cache)} cannot be written ({error.strerror or error}): make room or "
            "give the right to write there, or set XDG_CACHE_HOME to another folder."
        ) from None


@contextlib.contextmanager
def _new(cache: Path, name: str) -> Iterator[Path]:
    """Give a folder of our own under `cache`, locked while we work and gone afterwards unless it was renamed."""
    with files.locked(cache):
        files.sweep(cache)  # what processes that were killed have left: nobody holds its lock any more
        new = Path(tempfile.mkdtemp(prefix=f"{files.NEW}{name}-", dir=cache))
        descriptor = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)
        os.close(descriptor)


def save(path: Path, content: dict[str, Any]) -> None:
    """Write JSON values to `path`, with a checksum of them, whole or not at all. Raises `OSError`."""
    files.write_atomic(path, _sealed(content))


def _sealed(content: dict[str, Any]) -> bytes:
    body = msgspec.json.encode(content)
    return msgspec.json.encode({"checksum": hashlib.sha256(body).hexdigest(), "content": content})


def load(path: Path, kind: type[Struct]) -> dict[str, Any]:
    """Return what `save` wrote to `path`, if it still is that and a `kind`. Raises `files.Unusable` where it is not."""
    data = files.read(path, _LIMIT)
    content = files.decode(data, _Manifest, path).content
    try:
        whole = _sealed(content) == data
    except RecursionError:  # writing takes more of the stack than reading
        whole = False
    if not whole:
        raise files.Unusable(path, "differs from what was written")
    files.checked(content, kind, path)
    return content
