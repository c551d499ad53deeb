"""Writing so that a kill or a power cut at any moment leaves either the old file or the new one, never a part.

No name appears before its bytes, and then its folder, are synced. Names that begin with `.new-` or `.old-` are work in
progress; `sweep` removes those that a kill has left. A folder that begins with `.aside-` was about to be replaced by a
new one; `sweep` gives it its name back, where the new one has not taken it. Links are never followed on write.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInput, RunFailed
from .exchange import exchange
from .reading import Entry, shown

with contextlib.suppress(ImportError):  # Windows has none; what needs no file is used there all the same
    import fcntl

NEW, OLD = ".new-", ".old-"
_ASIDE = ".aside-"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_STALE = 24 * 3600.0
"""Seconds without a change after which nobody works on a file any more, where no lock can tell."""


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
        return _written(descriptor, data)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> Entry:
    """Replace the file `path` by one that holds `data`: a reader sees all of the old or all of the new.

    Any number of processes may write to one `path` at once; the last one stands.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_atomic(folder / "a", b"12").size, [p.name for p in folder.iterdir()]
        (2, ['a'])
    """
    descriptor, new = _reserved(path.parent)
    try:
        entry = _written(descriptor, data)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
    return entry


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a page or another file for people, atomically, and return its path.

    Raises:
        BadInput: where it cannot be written there, and on Windows.
        RunFailed: where the disk is full.
    """
    path = Path(path)
    if sys.platform == "win32":
        raise BadInput(f"{shown(path)} cannot be written, as files are written on Linux and macOS only: use WSL.")
    try:
        _check_kind(path)
        write_atomic(path, text.encode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        raise cannot(path, error) from None
    return path


def check_target(path: str | os.PathLike[str]) -> Path:
    """Return `path`, where `write_text` may write a file there. Raises `BadInput` before any work is done for it."""
    path = Path(path)
    check_folder(path.parent)
    try:
        _check_kind(path)
    except (OSError, ValueError) as error:
        raise cannot(path, error) from None
    return path


def _check_kind(path: Path) -> None:
    """Raise `OSError` where no file can be written to `path`: a file would take the place of a pipe or a device."""
    with contextlib.suppress(FileNotFoundError):
        kind = os.stat(path).st_mode  # a name that is too long is told here
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "it is a pipe or a device")


def check_folder(path: Path) -> None:
    """Raise `BadInput` where files could not be written into the folder `path`, or where it could not be made."""
    try:
        there = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
        if not os.path.isdir(there):
            raise NotADirectoryError(errno.ENOTDIR, f"{str(there)!r} is not a folder")
        # By the rights that writing goes by, where the system can tell: another user's may have been taken on.
        if not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, f"the folder {str(there)!r} is not writable")
        # The right to write says little to root, or of /proc, a full quota and a share: only making something tells.
        os.rmdir(tempfile.mkdtemp(prefix=NEW, dir=there))
        with contextlib.suppress(FileNotFoundError):
            os.stat(path)  # a name that is too long is told here
    except (OSError, ValueError) as error:
        raise cannot(path, error) from None


def make_folder(path: Path) -> None:
    """Make the folder `path`, and those above it, where they are not there. Raises as `write_text` does."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise cannot(path, error) from None


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes `path` when the ``with`` ends well and nothing when it does not.

    What was called `path` before stays until then, whole: a kill at any moment leaves the old one or the new one, if
    need be under a name from which `sweep` brings it back.
    """
    new = path.with_name(NEW + path.name)
    _delete(new)
    try:
        os.mkdir(new)
        yield new
        sync_folder(new)
        old = _replace(new, path)
    except Exception:
        _delete(new)
        raise
    sync_folder(path.parent)
    if old is not None:
        os.replace(old, _free_name(path))
    sweep(path.parent, OLD + path.name)


def _replace(new: Path, path: Path) -> Path | None:
    """Let the folder `new` be `path`; return where that is now which was called so before, None where nothing was."""
    if not os.path.lexists(path):
        os.replace(new, path)
        return None
    if exchange(new, path):
        return new
    aside = path.with_name(_ASIDE + path.name)
    if os.path.lexists(aside):  # left by a kill, behind which `path` was there all the same
        os.replace(aside, _free_name(path))
    os.replace(path, aside)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(aside, path)
        raise
    return aside


def remove(path: Path) -> None:
    """Delete the folder or file `path`; its name goes first, so that nobody finds half of it."""
    old = _free_name(path)
    os.replace(path, old)
    sync_folder(path.parent)
    _delete(old)


def sweep(folder: Path, *prefixes: str) -> None:
    """Delete what earlier kills have left in `folder`, and nothing else: no file that somebody is writing now.

    What one of them has kept from being replaced gets its name back. With `prefixes` only names that begin so go.
    """
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not prefixes and _is_aside(child):
            _put_back(child)
        elif child.name.startswith(prefixes or (NEW, OLD)):
            _delete_unless_held(child)


def names(folder: Path) -> dict[str, Path]:
    """Return where each thing in `folder` is, by the name that it has once `sweep` has put back what was set aside.

    So who may not write, or does not hold the folder, finds what a start would find there.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {path.name: path for path in paths if not path.name.startswith((NEW, OLD, _ASIDE))}
    aside = {path.name.removeprefix(_ASIDE): path for path in paths if _is_aside(path)}
    return aside | found


def _is_aside(path: Path) -> bool:
    return path.name.startswith(_ASIDE) and path.name != _ASIDE


def _put_back(aside: Path) -> None:
    path = aside.with_name(aside.name.removeprefix(_ASIDE))
    if os.path.lexists(path):  # the new one has taken the name
        remove(aside)
        return
    os.replace(aside, path)
    sync_folder(path.parent)


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


def _written(descriptor: int, data: bytes) -> Entry:
    write_all(descriptor, data)
    sync(descriptor)
    return Entry(len(data), hashlib.sha256(data).hexdigest())


def _reserved(folder: Path) -> tuple[int, Path]:
    """Make a file of our own in `folder`, and hold a lock on it, by which `sweep` knows that it is in use.

    Its name is not made from the final one, to which nothing could be added where it is as long as names may be.
    """
    for number in itertools.count():
        new = folder / f"{NEW}{os.getpid()}-{number}"
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.lstat(new)):
                return descriptor, new
        os.close(descriptor)  # swept away before we held the lock
    raise AssertionError


def _delete_unless_held(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError:  # a link, or what nobody may read: no file that is being written
        _delete(path)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):  # else its writer has just given it its name
            _delete(path)
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:  # no lock is given, as on NFS to who only reads: what is new may be in use
        if path.name.startswith(OLD) or _is_stale(path):
            _delete(path)
    finally:
        os.close(descriptor)


def _is_stale(path: Path) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime > _STALE
    except FileNotFoundError:
        return False


def cannot(path: Path, error: Exception) -> BadInput | RunFailed:
    """Return what is said where the system does not let `path` be written: the user's fault, but for a full disk."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return RunFailed(
            f"{shown(path)} cannot be written, as the disk is full: make room, and give the command again."
        )
    why = getattr(error, "strerror", None) or error
    return BadInput(f"{shown(path)} cannot be written ({why}): give another place, or the right to write there.")
