"""From pieces of text to files of ids, a few MiB at a time.

Shapes: P pieces, N tokens.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .. import files
from .documents import Piece
from .store import Writer
from .streams import CHUNK
from .tokenizer import Tokenizer
from .tokens import Tokens, dtype_of

_MOST_PIECES = 1 << 16
IDS, STARTS = ".ids", ".starts"


class Batcher:
    """Collects pieces until there are enough of them to be worth one call; small documents are many."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._size = 0

    def add(self, piece: Piece) -> bool:
        """Take one more piece; return whether it is time to use and `clear` them."""
        self.pieces.append(piece)
        self._size += len(piece.data)
        return self._size >= CHUNK or len(self.pieces) >= _MOST_PIECES

    def clear(self) -> None:
        self.pieces = []
        self._size = 0


class Sizes(Struct):
    """How much a `Side` has written."""

    bytes: files.Count
    tokens: files.Count
    documents: files.Count

    def __post_init__(self) -> None:
        if self.tokens and not self.bytes:
            raise ValueError("there are tokens of no text")


class Side:
    """One part of a corpus on its way into two files: the ids, and where each document begins."""

    def __init__(self, folder: Path, name: str, tokenizer: Tokenizer) -> None:
        self.name, self.tokenizer = name, tokenizer
        self.num_bytes = self.num_tokens = self.num_documents = 0
        self.hash = hashlib.sha256()
        self._dtype = dtype_of(tokenizer.vocab_size)
        self._waiting = Batcher()
        self._ids, self._starts = Writer(folder / (name + IDS)), Writer(folder / (name + STARTS))

    def add(self, piece: Piece) -> None:
        self.hash.update(piece.data)
        self.num_bytes += len(piece.data)
        if self._waiting.add(piece):
            self._flush()

    def _flush(self) -> None:
        pieces = self._waiting.pieces
        if not pieces:
            return
        ids, starts = encode(pieces, self.tokenizer)
        self._ids.append(ids.astype(self._dtype))
        self._starts.append((starts + self.num_tokens).astype("<i8"))
        self.num_tokens += len(ids)
        self.num_documents += len(starts)
        self._waiting.clear()

    def finish(self) -> dict[str, Any]:
        """Write what still waits, and return the content for the manifest."""
        self._flush()
        entries = {self.name + IDS: self._ids.finish(), self.name + STARTS: self._starts.finish()}
        sizes = {"bytes": self.num_bytes, "tokens": self.num_tokens, "documents": self.num_documents}
        return {"files": entries, "sizes": sizes, "hash": self.hash.hexdigest()}

    def close(self) -> None:
        self._ids.close()
        self._starts.close()


def encode(pieces: list[Piece], tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids of `pieces`, the end after each document, and at which of them a document begins."""
    ids, lengths_P = _ids([piece.data for piece in pieces], tokenizer)
    ends_P = np.cumsum(lengths_P)
    starts_P = ends_P - lengths_P
    if tokenizer.end is not None:
        last_P = np.array([piece.last for piece in pieces], bool)
        ids = np.insert(ids, ends_P[last_P], tokenizer.end)
        starts_P = starts_P + np.cumsum(last_P) - last_P
    return ids, starts_P[np.array([piece.first for piece in pieces], bool)]


def _ids(pieces: list[bytes], tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids of all pieces, and how many each has; raw bytes that are no text have an id each."""
    try:
        return tokenizer.encode_pieces(pieces)
    except UnicodeDecodeError:
        each = [np.array(tokenizer.encode(piece), np.int64) for piece in pieces]
        return np.concatenate(each), np.array([len(ids) for ids in each], np.int64)


def opened(folder: Path, name: str, tokenizer: Tokenizer, sizes: dict[str, int]) -> Tokens:
    """Return the tokens that a `Side` of this name wrote into `folder`, mapped from the file."""
    ids = _mapped(folder / (name + IDS), dtype_of(tokenizer.vocab_size))
    return Tokens(ids, _mapped(folder / (name + STARTS), "<i8"), sizes["bytes"], tokenizer.lengths_V)


def _mapped(path: Path, dtype: str) -> NDArray[Any]:
    if not path.stat().st_size:
        return np.zeros(0, dtype)
    # A plain view: indexing a np.memmap costs several times as much.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))
