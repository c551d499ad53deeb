"""What the reading of a corpus finds: how long each document is, and a hash of its content.

Shapes: N documents, F files.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .documents import Piece

_KEPT = 8
"""Bytes of SHA-256 kept of each document. Should two different ones agree in them, they share a side of the split."""

_WIDE = ("\u00a0".encode(), "\u3000".encode(), "\ufeff".encode())


class Survey(NamedTuple):
    """Lengths int64 [N] and hashes uint64 [N] of all documents, in order, and a hash of the whole.

    Documents that differ in white space alone have the same hash, save where they are raw bytes. `nothing_but` names
    what the whole consists of, where that is a single character or white space. `begins_F` has, for each file, the
    number of the document with which it begins.
    """

    bytes_N: NDArray[np.int64]
    chars_N: NDArray[np.int64]
    digests_N: NDArray[np.uint64]
    hash: str
    nothing_but: str = ""
    begins_F: NDArray[np.int64] | None = None

    @property
    def num_bytes(self) -> int:
        return int(self.bytes_N.sum())

    def named(self, hash: str) -> Survey:
        """Return the same with another hash; `_replace` goes by the length, which is that of the documents."""
        return Survey(self.bytes_N, self.chars_N, self.digests_N, hash, self.nothing_but, self.begins_F)

    def __len__(self) -> int:
        return len(self.bytes_N)


def folded(text: bytes) -> bytes:
    r"""Return `text` without its white space, and without marks of byte order.

    What differs in line ends, in blanks at their ends or in how it is wrapped is the same text.

    Example:
        >>> folded("\ufeffa b\r\n".encode()) == folded(b"a b") == b"ab"
        True
    """
    text = text.translate(None, b" \t\n\r\v\f")
    for space in _WIDE:
        text = text.replace(space, b"")
    return text


class Hasher:
    """Takes pieces in order; at the end of each document adds its length and its hash to that of the whole."""

    def __init__(self, format: str) -> None:
        self._digests_N, self._bytes_N, self._chars_N = bytearray(), array("q"), array("q")
        self._exact = format == "bytes"
        self._total = hashlib.sha256(format.encode())
        self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0
        self._only: bytes | None = None
        self._blank = not self._exact
        self._begun: tuple[Any, ...] = ()
        self._begins_F = array("q")

    def begin(self) -> None:
        """Begin a file: what is added from now on is what `undo` takes back."""
        self._begins_F.append(len(self._bytes_N))
        self._begun = (len(self._bytes_N), self._total.copy(), self._only, self._blank)

    def undo(self) -> None:
        """Forget everything since `begin`."""
        number, self._total, self._only, self._blank = self._begun
        del self._digests_N[number * _KEPT :], self._bytes_N[number:], self._chars_N[number:]
        self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0

    def add(self, piece: Piece) -> None:
        """Take the next piece."""
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
            self._digests_N += self._digest.digest()[:_KEPT]
            self._bytes_N.append(self._bytes)
            self._chars_N.append(self._chars)
            self._digest, self._bytes, self._chars = hashlib.sha256(), 0, 0

    def survey(self) -> Survey:
        """Return what the pieces came to; it has no documents where there were none."""
        return Survey(
            np.array(self._bytes_N, np.int64),
            np.array(self._chars_N, np.int64),
            np.frombuffer(bytes(self._digests_N), ">u8").astype(np.uint64),
            self._total.hexdigest(),
            self._nothing_but(),
            np.array(self._begins_F, np.int64),
        )

    def _nothing_but(self) -> str:
        if self._only:
            return f"the byte 0x{self._only.hex()}" if self._exact else f"the character {self._only.decode()!r}"
        return "white space" if self._blank else ""
