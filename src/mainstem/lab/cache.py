"""Trials that were run are not run again: one small JSON file each, by a key of all that decides them.

May import `files` and its siblings.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import config, files
from .experiment import Numbers

_LIMIT = 1 << 24


class Kept(NamedTuple):
    """A trial's numbers and the seconds that it took."""

    numbers: Numbers
    seconds: float


def key(name: Sequence[Any], run: config.Run, corpus: str) -> str:
    """Return the name of a trial: a hash of what is measured, the whole configuration, the text, and the versions.

    Where the run is written and what is shown decide nothing.
    """
    bare = msgspec.structs.replace(run, out="-", log=config.Log(), data=config.Data())
    versions = [metadata.version(package) for package in ("mainstem", "torch")]
    content = [list(name), msgspec.to_builtins(bare), corpus, versions]
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:32]


class Cache:
    """The trials in one folder, which is made when the first one is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> Kept | None:
        """Return the trial of that key, or None where there is none, or none that can be read."""
        path = self.folder / f"{name}.json"
        try:
            content = json.loads(files.read(path, _LIMIT))
            numbers = {str(k): _number(v) for k, v in content["numbers"].items()}
            seconds = float(content["seconds"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return Kept(numbers, seconds) if math.isfinite(seconds) else None

    def put(self, name: str, kept: Kept) -> None:
        """Keep a trial, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"seconds": kept.seconds, "numbers": dict(kept.numbers)})
        files.write_atomic(self.folder / f"{name}.json", text.encode())


def _number(value: Any) -> float | list[float]:
    return [float(one) for one in value] if isinstance(value, list) else float(value)
