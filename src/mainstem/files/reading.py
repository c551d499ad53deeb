"""The one way in which any file is opened to be read: a pipe, a device or a folder never hangs us."""

from __future__ import annotations

import hashlib
import os
import stat
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput

_CHUNK = 1 << 20
_LONGEST = 200
_REMEDY = "give a file that can be read"


def shown(path: str | os.PathLike[str]) -> str:
    r"""Return `path` in quotes, with control characters escaped and at most about 200 characters of it.

    Example:
        >>> print(shown("a\x1b[2Jb"))
        'a\x1b[2Jb'
    """
    text = os.fspath(path)
    return repr(text if len(text) <= _LONGEST else "..." + text[-_LONGEST:])


class Entry(NamedTuple):
    """What a file must still be when it is read again."""

    size: int
    sha256: str


class Unusable(BadInput):
    """A file that is not there, cannot be read, or is not what it should be.

    `path` is the file and `why` completes "The file ...", for a caller that makes another sentence of it.
    """

    def __init__(self, path: str | os.PathLike[str], why: str, remedy: str = _REMEDY) -> None:
        super().__init__(f"{shown(path)} {why}: {remedy}.")
        self.path, self.why = Path(path), why


def opened(path: str | os.PathLike[str], remedy: str = _REMEDY) -> FileIO:
    """Return the regular file `path`, open and unbuffered; raise `Unusable` for everything else.

    Nothing is waited for: without O_NONBLOCK the opening of a named pipe would never return. What was opened is what
    is looked at, so nothing can take the file's place in between.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise Unusable(path, "does not exist", remedy) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise Unusable(path, f"cannot be read ({getattr(error, 'strerror', None) or error})", remedy) from error
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        what = "is a folder" if stat.S_ISDIR(kind) else "is not a regular file"
        raise Unusable(path, what, remedy)
    return open(descriptor, "rb", buffering=0)


def read(path: str | os.PathLike[str], limit: int, remedy: str = "give the folder of a run") -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes; anything else is refused before it is read."""
    with opened(path, remedy) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise Unusable(path, f"has {size} bytes where at most {limit} make sense", "it is damaged")
        try:
            return _first(stream, size)
        except OSError as error:
            raise Unusable(path, f"cannot be read ({error.strerror or error})", remedy) from error


def measure(path: str | os.PathLike[str]) -> Entry:
    """Return size and SHA-256 of the file `path` as it is on the disk now. Raises `Unusable` where there is none."""
    digest, size = hashlib.sha256(), 0
    with opened(path) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        except OSError as error:
            raise Unusable(path, f"cannot be read ({error.strerror or error})") from error
    return Entry(size, digest.hexdigest())


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a regular file; False, and no error, where it cannot even be looked at."""
    return os.path.isfile(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a folder; False, and no error, where it cannot even be looked at."""
    return os.path.isdir(path)


def _first(stream: FileIO, size: int) -> bytes:
    """Return the first `size` bytes, or all where there are fewer; the system may give fewer at once than are there."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
