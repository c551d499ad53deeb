"""The tokenizer of bytes: id b is byte b."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from .base import Ids, Tokenizer

SINGLE = [bytes([value]) for value in range(256)]


class _State(Struct):
    end: bool


class Byte(Tokenizer):
    """256 ids, and one more for the end of a document if `end`.

    Example:
        >>> Byte().encode("né")
        [110, 195, 169]
    """

    name = "byte"

    def __init__(self, end: bool = False) -> None:
        super().__init__(SINGLE, end)

    def encode_pieces(self, pieces: Sequence[bytes]) -> tuple[Ids, Ids]:
        ids = np.frombuffer(b"".join(pieces), np.uint8).astype(np.int64)
        return ids, np.array([len(piece) for piece in pieces], np.int64)

    def _encode_any(self, data: bytes) -> list[int]:
        return list(data)

    def encode_raw(self, data: bytes) -> list[int]:
        return list(data)

    def state(self) -> dict[str, Any]:
        return {"end": self.end is not None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Byte:
        found = msgspec.convert(state, _State)
        return cls(found.end)
