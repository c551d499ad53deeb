"""What a first pass over a corpus finds: how long each document is, and a hash of its content. May import its siblings.

Shapes: N documents.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .documents import Documents, Piece, Progress
from .names import shown

_KEPT = 8
"""Bytes of SHA-256 kept of each document. Should two different ones agree in them, they share a side of the split."""

_WIDE = ("\u00a0".encode(), "\u3000".encode(), "\ufeff".encode())


class Survey(NamedTuple):
    """Lengths int64 [N] and hashes uint64 [N] of all documents, in order, and a hash of the whole.

    Documents that differ in white space alone have the same hash, save where they are raw bytes. `nothing_but` names
    what the whole consists of, where that is a single character or white space.
    """

    bytes_N: NDArray[np.int64]
    chars_N: NDArray[np.int64]
    digests_N: NDArray[np.uint64]
    hash: str
    empty: int
    nothing_but: str = ""

    @property
    def num_bytes(self) -> int:
        return int(self.bytes_N.sum())

    def __len__(self) -> int:
        return len(self.bytes_N)


def folded(text: bytes) -> bytes:
    r"""Return `text` without its white space, and without marks of byte order.

    What differs in line ends, in blanks at their ends or in how it is wrapped is the same text.

    >>> folded("\ufeffa b\r\n".encode()) == folded(b"a b") == b"ab"
    True
    """
    text = text.translate(None, b" \t\n\r\v\f")
    for space in _WIDE:
        text = text.replace(space, b"")
    return text


class _Hasher:
    """Takes pieces in order; at the end of each document adds its length and its hash to that of the whole."""

    def __init__(self, documents: Documents) -> None:
        self.digests_N, self.bytes_N, self.chars_N = bytearray(), array("q"), array("q")
        self._exact = documents.format == "bytes"
        self._total = hashlib.sha256(documents.format.encode())
        self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0
        self._only: bytes | None = None
        self._blank = not self._exact

    def add(self, piece: Piece) -> None:
        self._total.update(piece.data)
        kept = piece.data if self._exact else folded(piece.data)
        self._digest.update(kept)
        self._blank = self._blank and not kept
        if self._only is None:
            self._only = piece.data[:1] if self._exact else piece.data.decode()[0].encode()
        if self._only:  # until another character is seen
            self._only = b"" if piece.data.replace(self._only, b"") else self._only
        self._bytes += len(piece.data)
        self._chars += piece.chars
        if piece.last:
            self._total.update(self._bytes.to_bytes(8, "little"))
            self.digests_N += self._digest.digest()[:_KEPT]
            self.bytes_N.append(self._bytes)
            self.chars_N.append(self._chars)
            self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0

    def hash(self) -> str:
        return self._total.hexdigest()

    def nothing_but(self) -> str:
        if self._only:
            return f"the byte 0x{self._only.hex()}" if self._exact else f"the character {self._only.decode()!r}"
        return "white space" if self._blank else ""


def survey(documents: Documents, progress: Progress | None = None) -> Survey:
    """Read the corpus once. Raises `BadInput` where there is nothing in it."""
    hasher = _Hasher(documents)
    for piece in documents.pieces("reading", progress):
        hasher.add(piece)
    if not hasher.bytes_N:
        raise _nothing(documents)
    return Survey(
        np.frombuffer(hasher.bytes_N, np.int64),
        np.frombuffer(hasher.chars_N, np.int64),
        np.frombuffer(bytes(hasher.digests_N), ">u8").astype(np.uint64),
        hasher.hash(),
        documents.empty,
        hasher.nothing_but(),
    )


def unchanged(documents: Documents, found: Survey, stage: str, progress: Progress | None = None) -> Iterator[Piece]:
    """Yield the pieces once more. Raises `BadInput`, at the end, where they are not those of the survey."""
    hasher = _Hasher(documents)
    for piece in documents.pieces(stage, progress):
        hasher.add(piece)
        yield piece
    if hasher.hash() != found.hash:
        raise changed()


def changed() -> BadInput:
    return BadInput("The corpus changed while it was being read: wait until nobody writes to it, or give a copy.")


def _nothing(documents: Documents) -> BadInput:
    sources, empty = documents.sources, documents.empty
    if documents.format == "jsonl" and empty:
        lines = f"No line of {sources.origin} has text in {documents.section.field!r}"
        return BadInput(f"{lines} ({empty} are null or empty there): name another key by data.field.")
    if documents.left_out:
        without = f"(left out: {documents.left_out}; empty: {empty})"
        return BadInput(f"No file of {sources.origin} is text that can be read {without}: give a file that holds text.")
    if len(sources.paths) == 1:
        return BadInput(f"{shown(sources.paths[0])} is empty: give a file that holds text.")
    return BadInput(f"All {len(sources.paths)} files of {sources.origin} are empty: give files that hold text.")
