"""The tokenizer of characters: id i is the i-th character of the training text, in the order of code points.

Shapes: C characters of a text.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...errors import BadInput
from ...wording import several
from .base import Ids, Tokenizer
from .byte import SINGLE

_CODE_POINTS = 0x110000


class _State(Struct):
    characters: str
    fallback: bool
    end: bool


class Char(Tokenizer):
    """One id for each of `characters`; with `fallback`, 256 more for the bytes of any other character.

    With the fallback no text is unknown, and bits per byte are true. It is there if the held-out part has a character
    that the training part lacks, and where nobody asked for characters; else `encode` refuses what is not known.

    Example:
        >>> Char("abc").encode("cab"), Char("abc", fallback=True).encode("é")
        ([2, 0, 1], [198, 172])
    """

    name = "char"

    def __init__(self, characters: str, fallback: bool = False, end: bool = False) -> None:
        self.characters = "".join(sorted(set(characters)))
        self.fallback = fallback
        super().__init__([c.encode() for c in self.characters] + (SINGLE if fallback else []), end)

    @functools.cached_property
    def _id_of(self) -> NDArray[np.int32]:
        """Return the id of every code point, -1 where it has none."""
        table = np.full(_CODE_POINTS, -1, np.int32)
        table[_code_points(self.characters)] = np.arange(len(self.characters))
        return table

    def encode_pieces(self, pieces: Sequence[bytes]) -> tuple[Ids, Ids]:
        texts = [piece.decode() for piece in pieces]
        points_C = _code_points("".join(texts))
        ids_C = self._id_of[points_C].astype(np.int64)
        lengths = np.array([len(text) for text in texts], np.int64)
        unknown_C = ids_C < 0
        if not unknown_C.any():
            return ids_C, lengths
        if not self.fallback:
            raise self._unknown(int(points_C[unknown_C][0]))
        # A character without an id takes as many ids as it has bytes; all others move up.
        sizes_C = np.where(unknown_C, _utf8_size(points_C), 1)
        ends_C = np.cumsum(sizes_C)
        ids = np.empty(int(ends_C[-1]), np.int64)
        ids[(ends_C - 1)[~unknown_C]] = ids_C[~unknown_C]
        extra = "".join(map(chr, points_C[unknown_C].tolist())).encode()
        places = np.ones(len(ids), bool)
        places[(ends_C - 1)[~unknown_C]] = False
        ids[places] = np.frombuffer(extra, np.uint8).astype(np.int64) + len(self.characters)
        before = np.concatenate([[0], ends_C])
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        return ids, np.diff(before[bounds])

    def encode_raw(self, data: bytes) -> list[int]:
        if not self.fallback:
            raise BadInput(
                f"The byte 0x{data[0]:02x} is no UTF-8, and this vocabulary of "
                f"{several(len(self.characters), 'character')} has "
                "no bytes: give text, or train with --data.tokenizer byte."
            )
        return [byte + len(self.characters) for byte in data]

    def _unknown(self, point: int) -> BadInput:
        return BadInput(
            f"The character {chr(point)!r} (U+{point:04X}) is not among the {len(self.characters)} that this "
            "vocabulary has: leave it out, or train with --data.tokenizer byte or bpe, which know every character."
        )

    def state(self) -> dict[str, Any]:
        return {"characters": self.characters, "fallback": self.fallback, "end": self.end is not None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Char:
        found = msgspec.convert(state, _State)
        return cls(found.characters, found.fallback, found.end)


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _utf8_size(points: NDArray[np.uint32]) -> NDArray[np.int64]:
    return (1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)).astype(np.int64)


def histogram(pieces: Sequence[bytes]) -> NDArray[np.int64]:
    """Return how often each code point occurs in `pieces`, int64 [0x110000]."""
    return np.bincount(_code_points(b"".join(pieces).decode()), minlength=_CODE_POINTS)


def characters(counts: NDArray[np.int64]) -> str:
    """Return the characters that a histogram has counted, in order."""
    return "".join(map(chr, np.flatnonzero(counts).tolist()))
