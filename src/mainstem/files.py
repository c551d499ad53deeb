"""Writing so that a kill or a power cut at any moment leaves either the old file or the new one, never a part.

No name appears before its bytes, and then its folder, are synced. Names that begin with `.new-` or `.old-` are work in
progress; `sweep` removes those that a kill has left. Links are never followed on write. May import `errors` only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import BadInput

NEW, OLD = ".new-", ".old-"
_CHUNK = 1 << 20


class Entry(NamedTuple):
    """What a file must still be when it is read again."""

    size: int
    sha256: str


def sync(descriptor: int) -> None:
    """Return when the bytes are on the medium; macOS keeps them in the drive's cache unless asked twice."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_folder(path: Path) -> None:
    """Return when the names in the folder `path` are on the medium."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: the system may take fewer than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_synced(path: Path, data: bytes) -> Entry:
    """Write `data` to `path` and sync it; the caller syncs the folder."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    try:
        write_all(descriptor, data)
        sync(descriptor)
    finally:
        os.close(descriptor)
    return Entry(len(data), hashlib.sha256(data).hexdigest())


def write_atomic(path: Path, data: bytes) -> Entry:
    """Replace the file `path` by one that holds `data`: whoever looks sees all of the old or all of the new.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomic(folder / "a", b"12").size, [p.name for p in folder.iterdir()]
    (2, ['a'])
    """
    new = path.with_name(NEW + path.name)
    try:
        entry = write_synced(new, data)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return entry


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes `path` when the ``with`` ends well and nothing when it does not."""
    new = path.with_name(NEW + path.name)
    _delete(new)
    try:
        os.mkdir(new)
        yield new
        sync_folder(new)
        if os.path.lexists(path):
            os.replace(path, _free_name(path))
        os.replace(new, path)
    except Exception:
        _delete(new)
        raise
    sync_folder(path.parent)
    sweep(path.parent, OLD + path.name)


def remove(path: Path) -> None:
    """Delete the folder or file `path`; its name goes first, so that nobody finds half of it."""
    old = _free_name(path)
    os.replace(path, old)
    sync_folder(path.parent)
    _delete(old)


def sweep(folder: Path, *prefixes: str) -> None:
    """Delete what earlier kills have left in `folder`, and nothing else."""
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        if child.name.startswith(prefixes or (NEW, OLD)):
            _delete(child)


def measure(path: Path) -> Entry:
    """Return size and SHA-256 of the file `path` as it is on the disk now."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        return Entry(stream.tell(), digest.hexdigest())


def read(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes; anything else is refused before it is read."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{str(path)!r} is not a regular file: give the folder of a run")
        if found.st_size > limit:
            raise BadInput(f"{str(path)!r} has {found.st_size} bytes where at most {limit} make sense: it is damaged")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read ({error.strerror}): give the folder of a run") from None


def _free_name(path: Path) -> Path:
    number = 0
    while os.path.lexists(old := path.with_name(f"{OLD}{path.name}-{number}")):
        number += 1
    return old


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
