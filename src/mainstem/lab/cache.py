"""Trials that were run are not run again: one small JSON file each, by a key of all that decides them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from .. import config, files
from .experiment import Numbers

_LIMIT = 1 << 24


_Number = float | Literal["nan", "inf", "-inf"]


class _Stored(Struct):
    """The content of a file."""

    seconds: float
    numbers: dict[str, _Number | list[_Number]]


class Kept(NamedTuple):
    """A trial's numbers and the seconds that it took."""

    numbers: Numbers
    seconds: float


def key(name: Sequence[Any], run: config.Run, corpus: str) -> str:
    """Return the name of a trial: a hash of what is measured, the whole configuration, the text, and the versions.

    Where the run is written and what is shown decide nothing. What the text is, `corpus` says, but for how documents
    are kept apart, how much of it is sealed, and how it became tokens, which is by bytes where nothing else is said.
    """
    tokenizer = config.Data().tokenizer if run.data.tokenizer == "byte" else run.data.tokenizer
    text = config.Data(documents=run.data.documents, sealed=run.data.sealed, tokenizer=tokenizer)
    bare = msgspec.structs.replace(run, out="-", log=config.Log(), data=text)
    versions = [metadata.version(package) for package in ("mainstem", "torch")]
    content = [list(name), msgspec.to_builtins(bare), corpus, versions]
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:32]


class Cache:
    """The trials in one folder, which is made when the first one is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> Kept | None:
        """Return the trial of that key, or None where there is none, or none that can be read."""
        try:
            found = files.load(self.folder / f"{name}.json", _Stored, _LIMIT)
        except files.Unusable:
            return None
        return Kept({name: _number(value) for name, value in found.numbers.items()}, found.seconds)

    def put(self, name: str, kept: Kept) -> None:
        """Keep a trial, whole or not at all."""
        files.make_folder(self.folder)
        stored = _Stored(kept.seconds, {name: _stored(value) for name, value in kept.numbers.items()})
        files.write_text(self.folder / f"{name}.json", msgspec.json.encode(stored).decode())


def _number(value: _Number | list[_Number]) -> float | list[float]:
    return [float(one) for one in value] if isinstance(value, list) else float(value)


def _stored(value: float | Sequence[float]) -> _Number | list[_Number]:
    """Return `value` as JSON has it, which knows no number that is not finite."""
    if isinstance(value, Sequence):
        return [one if math.isfinite(one) else str(float(one)) for one in value]  # type: ignore[misc]
    return value if math.isfinite(value) else str(float(value))  # type: ignore[return-value]
