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


class Survey(NamedTuple):
    """Lengths int64 [N] and hashes uint64 [N] of all documents, in order, and a hash of the whole."""

    bytes_N: NDArray[np.int64]
    chars_N: NDArray[np.int64]
    digests_N: NDArray[np.uint64]
    hash: str
    empty: int

    @property
    def num_bytes(self) -> int:
        return int(self.bytes_N.sum())

    def __len__(self) -> int:
        return len(self.bytes_N)


class _Hasher:
    """Takes pieces in order; at the end of each document adds its length and its hash to that of the whole."""

    def __init__(self, documents: Documents) -> None:
        self.digests_N, self.bytes_N, self.chars_N = bytearray(), array("q"), array("q")
        self._total = hashlib.sha256(documents.format.encode())
        self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0

    def add(self, piece: Piece) -> None:
        self._digest.update(piece.data)
        self._bytes += len(piece.data)
        self._chars += piece.chars
        if piece.last:
            digest = self._digest.digest()
            self._total.update(digest + self._bytes.to_bytes(8, "little"))
            self.digests_N += digest[:_KEPT]
            self.bytes_N.append(self._bytes)
            self.chars_N.append(self._chars)
            self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0

    def hash(self) -> str:
        return self._total.hexdigest()


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
