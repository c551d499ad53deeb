"""How often a run was scored on its sealed part: a part that is looked at often becomes one to choose by."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from .. import files

NAME = "sealed.json"
_VERSION = 1


class _Looks(Struct):
    """What the file holds: when each look was taken, in UTC."""

    looks: list[str]
    version: int = _VERSION


def count(folder: Path) -> int:
    """Return how many looks were taken at the sealed part of the run in `folder`.

    Raises:
        BadInput: where the file that has them is damaged.
    """
    return len(_read(folder).looks)


def add(folder: Path) -> int:
    """Note one more look, before its score is known, and return how many there are now.

    Raises:
        BadInput: where the file that has them is damaged or cannot be written, `RunFailed` where the disk is full.
    """
    try:
        with files.locked(folder):  # else of two at once one would not be counted
            found = _read(folder)
            found.looks.append(datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"))
            files.write_atomic(folder / NAME, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    except OSError as error:
        raise files.cannot(folder / NAME, error) from None
    return len(found.looks)


def _read(folder: Path) -> _Looks:
    path = folder / NAME
    return files.load(path, _Looks) if os.path.lexists(path) else _Looks([])
