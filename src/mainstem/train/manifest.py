"""The manifest of a checkpoint: what its files must be, and everything that is not a tensor. May import `files`.

Its bytes are the canonical form of its content with a checksum of that content, so that no flipped byte goes unnoticed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from .. import files

NAME = "manifest.json"
VERSION = 1
_LIMIT = 1 << 26
_FOLDER = re.compile(r"step-([0-9]+)")


class Damaged(Exception):
    """A checkpoint is not what was written; the message says which file and how."""


def encode(content: dict[str, Any]) -> bytes:
    """Return the bytes of a manifest that holds `content`."""
    body = msgspec.json.encode({"version": VERSION, **content}, order="sorted")
    return msgspec.json.format(_sealed(body), indent=1) + b"\n"


def decode(data: bytes) -> dict[str, Any]:
    """Return the content; raise `Damaged` where a single byte differs from what `encode` wrote."""
    try:
        content = msgspec.json.decode(data)
        content.pop("checksum")
        body = msgspec.json.encode(content, order="sorted")
        whole = data == msgspec.json.format(_sealed(body), indent=1) + b"\n"
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, UnicodeDecodeError):
        whole = False
    if not whole:
        raise Damaged(f"{NAME} has been changed since it was written")
    if content["version"] != VERSION:
        raise Damaged(f"{NAME} has version {content['version']}, and this mainstem reads version {VERSION}")
    result: dict[str, Any] = content
    return result


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of the checkpoint `folder`, all of whose files have been read and found whole."""
    path = folder / NAME
    if not path.is_file() or path.is_symlink():
        raise Damaged(f"{NAME} is missing")
    if path.stat().st_size > _LIMIT:
        raise Damaged(f"{NAME} has {path.stat().st_size} bytes, more than any manifest")
    content = decode(path.read_bytes())
    if content["step"] != number(folder):
        raise Damaged(f"{NAME} is that of step {content['step']}")
    for name, entry in content["files"].items():
        _check(folder / name, files.Entry(**entry))
    return content


def number(folder: Path) -> int | None:
    """Return N for a folder named step-N, else None.

    >>> number(Path("checkpoints/step-250")), number(Path("checkpoints/.new-step-250"))
    (250, None)
    """
    match = _FOLDER.fullmatch(folder.name)
    return int(match[1]) if match else None


def _sealed(body: bytes) -> bytes:
    checksum = hashlib.sha256(body).hexdigest()
    return b'{"checksum":"' + checksum.encode() + b'",' + body[1:]


def _check(path: Path, entry: files.Entry) -> None:
    if not path.is_file() or path.is_symlink():
        raise Damaged(f"{path.name} is missing")
    size = path.stat().st_size
    if size != entry.size:
        raise Damaged(f"{path.name} has {size} bytes instead of {entry.size}")
    if files.measure(path) != entry:
        raise Damaged(f"{path.name} has other bytes than were written")
