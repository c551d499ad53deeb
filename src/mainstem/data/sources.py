"""Which files a corpus consists of: files, folders with a pattern, or the standard library. May import `config`.

A folder is read in the order of its relative names, so that a corpus is the same wherever it lies. Hidden files are
left out unless the pattern begins with a dot. A folder reached twice, by links, is read once.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import stat
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import config
from ..errors import BadInput
from .names import shown

_NOT_LIBRARY = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"})
"""Folders of the standard library that hold no library: tests, and what was installed beside it."""


class Sources(NamedTuple):
    """Regular files, in order; `lenient` where one that is not UTF-8 is left out and counted instead of refused."""

    paths: tuple[Path, ...]
    num_bytes: int
    origin: str
    lenient: bool = False


def find(section: config.Data) -> Sources:
    """Return the files that `section` names; without paths, the sources of Python's standard library.

    Raises `BadInput` for what is missing, not a regular file, or a folder in which nothing matches.
    """
    if not section.paths:
        return _library()
    found = [path for given in section.paths for path in _expand(given, section.glob)]
    return Sources(tuple(found), _size(found), ", ".join(map(shown, section.paths)))


def _library() -> Sources:
    root = Path(sysconfig.get_paths()["stdlib"])
    sources = (path for path, parts in _walk(root) if path.suffix == ".py" and not _NOT_LIBRARY.intersection(parts))
    found = [path for path in sources if path.is_file()]
    if not found:
        raise BadInput(f"Python's standard library has no sources in {shown(root)}: give a file or folder to train on.")
    return Sources(tuple(found), _size(found), "Python's standard library", lenient=True)


def _size(paths: list[Path]) -> int:
    """Return the bytes of all files, for the display of progress only: one that has gone meanwhile counts nothing."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _expand(given: str, pattern: str) -> list[Path]:
    path = Path(given)
    if not _is_folder(path, given):
        return [path]
    if not pattern:
        raise BadInput("data.glob is empty: give a pattern such as '*.txt', or leave it out.")
    hidden = pattern.rsplit("/", 1)[-1].startswith(".")
    found = []
    for file, parts in _walk(path, hidden):
        if fnmatch.fnmatchcase("/".join(parts) if "/" in pattern else parts[-1], pattern):
            _is_folder(file, str(file))
            found.append(file)
    if not found:
        raise BadInput(
            f"No file in the folder {shown(given)} matches data.glob {pattern!r}: give another pattern, or the folder "
            "that holds the text."
        )
    return found


def _is_folder(path: Path, given: str) -> bool:
    """Return whether `path` is a folder; raise `BadInput` where it is neither that nor a regular file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        why = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({_reason(error)})"
        raise BadInput(f"{shown(given)} {why}: give the name of a file or a folder that can be read.") from None
    if stat.S_ISDIR(mode):
        return True
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a FIFO", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "no regular file")
        raise BadInput(f"{shown(given)} is {kind}, which cannot be read twice: save its content to a file first.")
    return False


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _walk(root: Path, hidden: bool = False) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield every file under `root` with the parts of its relative name, sorted by these parts."""
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, tuple[str, ...]]] = [(root, ())]
    while waiting:
        path, parts = waiting.pop()
        if not path.is_dir():
            yield path, parts
            continue
        found = path.stat()
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        try:
            names = os.listdir(path)
        except OSError as error:
            raise BadInput(f"{shown(path)} cannot be read ({error.strerror}): give a folder that can be.") from None
        kept = [name for name in names if hidden or not name.startswith(".")]
        waiting += [(path / name, (*parts, name)) for name in sorted(kept, reverse=True)]
