"""The manifest of a checkpoint: what its files must be, and everything in it that is not a tensor.

Its bytes are the canonical form of its content with a checksum of that content, so that no flipped byte goes unnoticed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from .. import config, files
from ..wording import several
from .state import Length, State

NAME = "manifest.json"
VERSION = 3
_LIMIT = 1 << 26
_FOLDER = re.compile(r"step-([0-9]+)")


_Name = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]+[.]safetensors$")]


class Damaged(Exception):
    """A checkpoint is not what was written; the message says which file and how."""


class Entry(Struct, frozen=True):
    """What a file of the checkpoint must be."""

    size: files.Count
    sha256: str


class Record(Struct, frozen=True):
    """How long metrics.jsonl was, and the hash of that much; None where it was empty."""

    offset: files.Count
    sha256: str | None


class Manifest(Struct, kw_only=True):
    """All that is read of a manifest. `optimizer` is looked at by the optimizer, `facts` are compared and shown.

    `config` is the run's whole configuration as YAML, `corpus` the hash of its data, and `task` the name of what was
    learned: what trained the weights.
    """

    step: files.Count
    length: Length
    config: str
    corpus: Annotated[str, Meta(pattern="^[0-9a-f]+$")]
    files: dict[_Name, Entry]
    metrics: Record
    state: State
    optimizer: dict[str, Any]
    facts: dict[str, Any]
    task: str

    def __post_init__(self) -> None:
        if self.state.step != self.step:
            raise ValueError(f"its state is that of step {self.state.step}")
        config.read(self.config, "config")


def encode(content: dict[str, Any]) -> bytes:
    """Return the bytes of a manifest that holds `content`."""
    body = msgspec.json.encode({"version": VERSION, **content}, order="sorted")
    return msgspec.json.format(_sealed(body), indent=1) + b"\n"


def decode(data: bytes) -> Manifest:
    """Return the content; raise `Damaged` where a single byte differs from what `encode` wrote."""
    try:
        content = files.decode(data, dict[str, Any], NAME)
        content.pop("checksum", None)
        body = msgspec.json.encode(content, order="sorted")
        if data != msgspec.json.format(_sealed(body), indent=1) + b"\n":
            raise Damaged(f"{NAME} has been changed since it was written")
        if content.get("version") != VERSION:
            raise Damaged(f"{NAME} has version {content.get('version')}, and this mainstem reads version {VERSION}")
        return files.checked(content, Manifest, NAME)
    except files.Unusable as error:
        raise Damaged(f"{NAME} {error.why}") from None
    except RecursionError:  # writing takes more of the stack than reading
        raise Damaged(f"{NAME} is nested too deep") from None


def read(folder: Path, step: int | None = None) -> Manifest:
    """Return the manifest of the checkpoint `folder`, all of whose files have been read and found whole.

    It is that of `step`; by default of the one that the folder's name says.
    """
    content = decode(_read(folder / NAME))
    if content.step != (number(folder) if step is None else step):
        raise Damaged(f"{NAME} is that of step {content.step}")
    for name, entry in content.files.items():
        _check(folder / name, files.Entry(entry.size, entry.sha256))
    return content


def number(folder: Path) -> int | None:
    """Return N for a folder named step-N, else None.

    Example:
        >>> number(Path("checkpoints/step-250")), number(Path("checkpoints/.new-step-250"))
        (250, None)
    """
    match = _FOLDER.fullmatch(folder.name)
    return int(match[1]) if match else None


def _sealed(body: bytes) -> bytes:
    checksum = hashlib.sha256(body).hexdigest()
    return b'{"checksum":"' + checksum.encode() + b'",' + body[1:]


def _read(path: Path) -> bytes:
    _there(path)
    try:
        return files.read(path, _LIMIT)
    except files.Unusable as error:
        raise Damaged(f"{path.name} {error.why}") from error.__cause__


def _check(path: Path, entry: files.Entry) -> None:
    _there(path)
    size = path.stat().st_size
    if size != entry.size:
        raise Damaged(f"{path.name} has {several(size, 'byte')} instead of {entry.size}")
    try:
        found = files.measure(path)
    except files.Unusable as error:
        raise Damaged(f"{path.name} {error.why}") from error.__cause__
    if found != entry:
        raise Damaged(f"{path.name} has other bytes than were written")


def _there(path: Path) -> None:
    if not files.is_file(path) or path.is_symlink():
        raise Damaged(f"{path.name} is missing")
