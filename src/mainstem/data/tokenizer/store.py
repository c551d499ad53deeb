"""Reading a tokenizer from its file. May import `files`, `errors` and its siblings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from ... import files
from ...errors import BadInput
from ..names import shown
from .base import VERSION, Tokenizer, sealed
from .bpe import Bpe
from .byte import Byte
from .char import Char

_LIMIT = 1 << 26
_KINDS: dict[str, type[Tokenizer]] = {kind.name: kind for kind in (Byte, Char, Bpe)}


def load(path: str | os.PathLike[str]) -> Tokenizer:
    """Return the tokenizer that `Tokenizer.save` wrote to `path`. Raises `BadInput` where it is missing or damaged.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tokenizer.json"
    >>> Char("abc").save(path)
    >>> load(path)
    Char(vocab_size=3, end=None)
    """
    try:
        return from_json(files.read(Path(path), _LIMIT))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadInput) and "cannot be read" in str(error):
            raise
        raise BadInput(f"{shown(path)} describes no tokenizer ({error}): it is damaged.") from None


def from_json(data: bytes) -> Tokenizer:
    """Return the tokenizer that `to_json` described."""
    found = msgspec.json.decode(data, type=dict[str, Any])
    if found["version"] != VERSION:
        raise ValueError(f"version {found['version']!r}, where this program writes {VERSION}")
    if found["name"] not in _KINDS:
        raise ValueError(f"the name {found['name']!r}, where {', '.join(_KINDS)} are known")
    checksum = found.pop("checksum")
    if sealed(found) != data:
        raise ValueError(f"its content is not that of the checksum {checksum!r}")
    return _KINDS[found["name"]].from_state(found)
