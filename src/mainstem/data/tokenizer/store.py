"""Reading a tokenizer from its file."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from msgspec import Struct

from ... import catalogue, files
from ...errors import reason
from .base import VERSION, Tokenizer, sealed

_LIMIT = 1 << 26


def load(path: str | os.PathLike[str]) -> Tokenizer:
    """Return the tokenizer that `Tokenizer.save` wrote to `path`. Raises `BadInput` where it is missing or damaged.

    Example:
        >>> import pathlib, tempfile
        >>> from mainstem.data.tokenizer import Char
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "vocabulary.json"
        >>> Char("abc").save(path)
        >>> load(path)
        Char(vocab_size=3, end=None)
    """
    return from_json(files.read(path, _LIMIT), path)


def from_json(data: bytes, path: str | os.PathLike[str] = "vocabulary.json") -> Tokenizer:
    """Return the tokenizer that `to_json` described; raise `files.Unusable`, about `path`, where it is none."""
    try:
        header = msgspec.json.decode(data, type=_Header)
        if header.version != VERSION:
            raise ValueError(f"version {header.version}, where this program writes {VERSION}")
        known = _kinds()
        if header.name not in known:
            raise ValueError(f"the name {header.name!r}, where {', '.join(known)} are known")
        found = msgspec.json.decode(data, type=dict[str, Any])
        if sealed({name: value for name, value in found.items() if name != "checksum"}) != data:
            raise ValueError(f"its content is not that of the checksum {header.checksum!r}")
        return known[header.name].from_state(found)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise files.Unusable(path, f"describes no tokenizer ({reason(error)})", "it is damaged") from None


def _kinds() -> dict[str, type[Tokenizer]]:
    """Return the tokenizers that the catalogue's units learn, by the names under which they are stored."""
    learned = (spec.load().learns for spec in catalogue.specs("tokenizer"))
    return {kind.name: kind for kind in learned if kind is not None}


class _Header(Struct):
    version: int
    name: str
    checksum: str
