"""Where tokens are kept: in the user's cache, or in the run's own folder where there is none that can be written to."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from .run_folder import RunFolder

NAME = "cache"
"""Of the folder in that of a run."""

_LONGEST_PATH, _LONGEST_NAME = 4095 - 128, 255
"""Bytes that the system takes, with room for the names in the cache."""


def cache_folder(folder: RunFolder) -> Path:
    """Return `$XDG_CACHE_HOME/mainstem` or `~/.cache/mainstem`, or `cache` in `folder` where that cannot be used."""
    base, home = os.environ.get("XDG_CACHE_HOME"), os.environ.get("HOME")
    path = Path(base) if base else Path(home) / ".cache" if home else None
    return path / "mainstem" if path is not None and _usable(path / "mainstem") else folder.path / NAME


@contextlib.contextmanager
def used(folder: RunFolder) -> Iterator[Path]:
    """Give the cache for the run in `folder`; one in there is gone afterwards, if the folder became no run's."""
    cache, own = cache_folder(folder), folder.path / NAME
    new = [path for path in (own, folder.path) if not os.path.lexists(path)]
    try:
        yield cache
    finally:
        if cache == own and own in new and not folder.config.exists():
            shutil.rmtree(own, ignore_errors=True)
            if folder.path in new:
                with contextlib.suppress(OSError):
                    folder.path.rmdir()


def _usable(path: Path) -> bool:
    """Return whether the folder `path` can be written to, or be made: told by the nearest name that is there."""
    if not path.is_absolute() or len(os.fsencode(path)) > _LONGEST_PATH:
        return False
    if max(len(os.fsencode(part)) for part in path.parts) > _LONGEST_NAME:
        return False
    for part in (path, *path.parents):
        try:
            mode = os.stat(part).st_mode
        except FileNotFoundError:
            if os.path.islink(part):
                return False
        except OSError:  # a file on the way, no right to look, a name that is too long, a circle of links
            return False
        else:
            return stat.S_ISDIR(mode) and os.access(part, os.W_OK | os.X_OK)
    return False
