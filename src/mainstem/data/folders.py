"""The files in a folder that may be text. What surely is none is left out and counted: a project is not only its text.

Left out are hidden names, folders of runs, packages and caches, what cannot be entered, and what is neither file nor
folder.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import NamedTuple

from . import left_out
from .left_out import LeftOut

_PACKAGES = frozenset({"node_modules", "bower_components", "__pycache__", "site-packages", "dist-packages"})
_MARKS = frozenset({"CACHEDIR.TAG", "pyvenv.cfg"})
"""A file of one of these names says that its folder is a cache (bford.info/cachedir) or a Python environment."""

_RUNS = "runs"
_OF_A_RUN = frozenset({"metrics.jsonl", "checkpoints", "lock", "model.safetensors"})

_SYSTEM = ("/proc", "/sys")


class Found(NamedTuple):
    """A regular file, and the parts of its name relative to the folder."""

    path: Path
    parts: tuple[str, ...]


Matches = Callable[[tuple[str, ...]], bool]


def of_system(real: str) -> bool:
    """Return whether the path `real`, without links, lies where the kernel shows itself as files."""
    return any(real == folder or real.startswith(folder + "/") for folder in _SYSTEM)


def walk(root: Path, matches: Matches, hidden: bool, left: LeftOut) -> Iterator[Found]:
    """Yield every regular file under `root` whose parts match, in the order of these parts.

    A folder that is reached twice, by links, is read once. `hidden` says whether hidden names are looked at. Raises
    `OSError` where `root` itself cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, tuple[str, ...], str]] = [(root, (), os.path.realpath(root))]
    while waiting:
        path, parts, real = waiting.pop()
        name = "/".join(parts)
        try:
            status = os.stat(path)
            folder = stat.S_ISDIR(status.st_mode)
            if not folder and not matches(parts):
                continue
            if parts and (reason := _reason(status.st_mode, parts[-1], real, hidden)):
                left.add(reason, name)
                continue
            if not folder:
                yield Found(path, parts)
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                inside = {entry.name: entry.is_symlink() for entry in entries}
        except OSError as error:  # no right to look, a name that is too long, a link to nowhere or to itself
            if not parts:
                raise
            left.add(left_out.LINKS if error.errno in (errno.ENOENT, errno.ELOOP) else left_out.UNREADABLE, name)
            continue
        if parts and (reason := _kind(parts[-1], inside)):
            left.add(reason, name)
            continue
        for child in sorted(inside, reverse=True):
            there = os.path.realpath(path / child) if inside[child] else f"{real}/{child}"
            waiting.append((path / child, (*parts, child), there))


def left_out_by_name(parts: tuple[str, ...], hidden: bool) -> bool:
    """Return whether the names alone leave out a file of these parts, whatever its folders hold."""
    dotted = not hidden and any(part.startswith(".") for part in parts)
    return dotted or any(_kind(part, ()) is not None for part in parts[:-1])


def _reason(mode: int, name: str, real: str, hidden: bool) -> str | None:
    """Return why what is called `name` is left out unopened, or None."""
    if name.startswith(".") and not hidden:
        return left_out.HIDDEN
    if of_system(real):
        return left_out.SYSTEM
    return None if stat.S_ISDIR(mode) or stat.S_ISREG(mode) else left_out.SPECIAL


def _kind(name: str, inside: Container[str]) -> str | None:
    """Return why a folder of this name, with these names in it, is left out, or None."""
    if name == _RUNS or ("config.yaml" in inside and any(part in inside for part in _OF_A_RUN)):
        return left_out.RUNS
    if name in _PACKAGES or any(mark in inside for mark in _MARKS):
        return left_out.PACKAGES
    return None
