"""Which files a corpus consists of: files, folders with a pattern, or the standard library.

A folder is read in the order of its relative names, so that a corpus is the same wherever it lies. Hidden files are
left out unless the pattern begins with a dot.
"""

from __future__ import annotations

import fnmatch
import os
import stat
import sysconfig
from pathlib import Path
from typing import NamedTuple

from .. import config
from ..errors import BadInput
from . import folders
from .left_out import LeftOut
from .names import shown
from .stamps import Stamp, stamp

_NOT_LIBRARY = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"})
"""Folders of the standard library that hold no library: tests, and what was installed beside it."""


class Sources(NamedTuple):
    """Regular files, in order. Those given by name are `named`: any other one that is no text is left out, not refused.

    `stamps` has that of each file, None where it has gone meanwhile. `left_out` counts what was left out of the folders
    until now. The last `held_out` files are held out whole.
    """

    paths: tuple[Path, ...]
    stamps: tuple[Stamp | None, ...]
    origin: str
    named: frozenset[Path]
    left_out: LeftOut
    held_out: int = 0

    @property
    def num_bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(each.size for each in self.stamps if each is not None)


def find(section: config.Data) -> Sources:
    """Return the files that `section` names; without paths, the sources of Python's standard library.

    Those of `data.held_out_paths` follow. Raises `BadInput` for what is missing, not a regular file, on both sides, or
    a folder in which nothing matches.
    """
    found = _given(section.paths, section.glob, LeftOut()) if section.paths else _library()
    if not section.held_out_paths:
        return found
    other = _given(section.held_out_paths, section.glob, found.left_out)
    trained = {os.path.realpath(path) for path in found.paths}
    if both := [path for path in other.paths if os.path.realpath(path) in trained]:
        raise BadInput(f"{shown(both[0])} is to be trained on and held out: leave it out of data.held_out_paths.")
    return Sources(
        found.paths + other.paths, found.stamps + other.stamps, f"{found.origin}; held out {other.origin}",
        found.named | other.named, found.left_out, len(other.paths),
    )  # fmt: skip


def check_glob(section: config.Data) -> None:
    """Raise `BadInput` where `data.glob` chooses among the files of a folder, and no folder is given."""
    every = config.Data().glob
    if section.glob != every and not any(os.path.isdir(path) for path in (*section.paths, *section.held_out_paths)):
        raise BadInput(
            f"data.glob {section.glob!r} says which files of a folder, and no folder is given: leave it out, or name "
            "one in data.paths."
        )


def taking(section: config.Data, path: Path) -> str | None:
    """Return the folder of `section` that has a file at `path` as a part of its text; None where none would have.

    Example:
        >>> taking(config.Data(paths=["."]), Path("notes/a.txt")), taking(config.Data(paths=["."]), Path("runs/a.txt"))
        ('.', None)
    """
    hidden, matches = _pattern(section.glob)
    real = Path(os.path.realpath(path))
    for given in (*section.paths, *section.held_out_paths):
        if not os.path.isdir(given):  # and not what has no name that the system takes
            continue
        root = os.path.realpath(given)
        if real.is_relative_to(root):
            parts = real.relative_to(root).parts
            if parts and matches(parts) and not folders.left_out_by_name(parts, hidden):
                return given
    return None


def _pattern(pattern: str) -> tuple[bool, folders.Matches]:
    """Return whether `pattern` asks for hidden files, and which files it takes; `**/` stands for no folder too."""
    whole = (pattern, pattern.replace("**/", ""))

    def matches(parts: tuple[str, ...]) -> bool:
        name = "/".join(parts) if "/" in pattern else parts[-1]
        return any(fnmatch.fnmatchcase(name, each) for each in whole)

    return pattern.rsplit("/", 1)[-1].startswith("."), matches


def _given(paths: list[str], pattern: str, left: LeftOut) -> Sources:
    found, named = [], []
    for given in paths:
        path = Path(given)
        if _is_folder(path, given):
            found += _inside(path, given, pattern, left)
        else:
            found.append(path)
            named.append(path)
    return Sources(tuple(found), _stamps(found), ", ".join(map(shown, paths)), frozenset(named), left)


def _library() -> Sources:
    root = Path(sysconfig.get_paths()["stdlib"])

    def matches(parts: tuple[str, ...]) -> bool:
        return parts[-1].endswith(".py") and not _NOT_LIBRARY.intersection(parts)

    found = [path for path, _ in folders.walk(root, matches, False, LeftOut())]
    if not found:
        raise BadInput(f"Python's standard library has no sources in {shown(root)}: give a file or folder to train on.")
    return Sources(tuple(found), _stamps(found), "Python's standard library", frozenset(), LeftOut())


def _stamps(paths: list[Path]) -> tuple[Stamp | None, ...]:
    found: list[Stamp | None] = []
    for path in paths:
        try:
            found.append(stamp(path))
        except OSError:
            found.append(None)
    return tuple(found)


def _inside(folder: Path, given: str, pattern: str, left: LeftOut) -> list[Path]:
    """Return the files in `folder` that match `pattern`, and add what is left out to `left`."""
    if not pattern:
        raise BadInput("data.glob is empty: give a pattern such as '*.txt', or leave it out.")
    if folders.of_system(os.path.realpath(folder)):
        raise BadInput(f"{shown(given)} is a folder of the system, not of text: give the file or folder that you mean.")

    hidden, matches = _pattern(pattern)
    own = LeftOut()
    try:
        found = [path for path, _ in folders.walk(folder, matches, hidden, own)]
    except OSError as error:
        raise BadInput(f"{shown(given)} cannot be read ({_reason(error)}): give a folder that can be.") from None
    left.extend(own)
    if not found:
        without = f" (left out: {own})" if own else ""
        raise BadInput(
            f"No file in the folder {shown(given)} matches data.glob {pattern!r}{without}: give another pattern, or "
            "the folder that holds the text."
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
