"""What every tokenizer can do.

Shapes: V tokens of the vocabulary, P pieces of text.
"""

from __future__ import annotations

import abc
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ... import files
from ...errors import BadInput

Ids = NDArray[np.int64]
VERSION = 1
_REPLACEMENT = "\ufffd".encode()
_ESCAPED = re.compile("([\udc80-\udcff]+)")


def sealed(content: dict[str, Any]) -> bytes:
    """Return `content` as JSON with a checksum before it: one wrong merge would spoil every later id in silence."""
    body = msgspec.json.encode(content)
    return msgspec.json.encode({"checksum": hashlib.sha256(body).hexdigest(), **content}) + b"\n"


class Tokenizer(abc.ABC):
    """Turns text into ids below `vocab_size` and back, exactly: ``decode_bytes(encode(text)) == text.encode()``.

    `end` is the id that stands after each document, or None where the corpus is a single one; it decodes to nothing.
    """

    name: ClassVar[str]

    def __init__(self, tokens: Sequence[bytes], end: bool) -> None:
        self._tokens: list[bytes] = [*tokens, b""] if end else list(tokens)
        self.end: int | None = len(tokens) if end else None

    @property
    def vocab_size(self) -> int:
        """Return the number of ids, the end of a document among them."""
        return len(self._tokens)

    @functools.cached_property
    def lengths_V(self) -> NDArray[np.int64]:
        """Return how many bytes of text each id stands for, int64 [V]; 0 for the end of a document."""
        return np.array([len(token) for token in self._tokens], np.int64)

    @abc.abstractmethod
    def encode_pieces(self, pieces: Sequence[bytes]) -> tuple[Ids, Ids]:
        """Return the ids of all pieces, one after the other, and how many each piece has, int64 [P].

        Each piece is UTF-8 (any bytes, for the tokenizer of bytes).
        """

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what makes this tokenizer again, as JSON values."""

    @classmethod
    @abc.abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Tokenizer:
        """Return the tokenizer that `state` describes. Raises `ValueError` where it describes none."""

    def encode(self, text: str | bytes) -> list[int]:
        """Return the ids of `text`. Bytes that are no UTF-8 become the ids of single bytes where there are such.

        Raises:
            BadInput: for half a surrogate pair, and for what the vocabulary has no ids for.
        """
        if isinstance(text, str):
            try:
                text = text.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError as error:
                raise BadInput(f"Character {error.start} of the text is half a surrogate pair: remove it.") from None
        if not text:
            return []
        return self._encode_any(text)

    def _encode_any(self, data: bytes) -> list[int]:
        try:
            data.decode()
        except UnicodeDecodeError:
            parts = [part for part in _ESCAPED.split(data.decode("utf-8", "surrogateescape")) if part]
            # All texts at once: raw bytes may part them into a million.
            ids, lengths_P = self.encode_pieces([part.encode() for part in parts if not _ESCAPED.match(part)] or [b""])
            texts = iter(np.split(ids, np.cumsum(lengths_P)))
            found: list[int] = []
            for part in parts:
                raw = _ESCAPED.match(part)
                found += self.encode_raw(part.encode("utf-8", "surrogateescape")) if raw else next(texts).tolist()
            return found
        return self.encode_pieces([data])[0].tolist()

    @abc.abstractmethod
    def encode_raw(self, data: bytes) -> list[int]:
        """Return one id for each byte of `data`, whatever the bytes are."""

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Return the bytes that `ids` stand for. Raises `BadInput` for a number that is no id."""
        tokens, size = self._tokens, self.vocab_size
        found = []
        for i in ids:
            if not 0 <= i < size:
                raise BadInput(f"{i} is no token: the vocabulary has ids 0 to {size - 1}.")
            found.append(tokens[i])
        return b"".join(found)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`. What is no text, or no id, becomes U+FFFD: nothing is ever raised."""
        tokens, size = self._tokens, self.vocab_size
        return b"".join(tokens[i] if 0 <= i < size else _REPLACEMENT for i in ids).decode("utf-8", "replace")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to `path` as JSON, atomically."""
        files.write_atomic(Path(path), self.to_json())

    def to_json(self) -> bytes:
        """Return the content of the file that `save` writes; equal tokenizers give equal bytes."""
        return sealed({"version": VERSION, "name": self.name, **self.state()})

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size}, end={self.end})"
