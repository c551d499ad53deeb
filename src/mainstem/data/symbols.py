"""A text's tokens as its bytes, and as its characters.

Shapes: V tokens of the vocabulary.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tokenizer import Tokenizer
from .tokens import Tokens

END = 256
"""What stands for the end of a document among bytes."""

_STEP = 1 << 20


class Expanded:
    """Turns ids into the bytes that they stand for, and, with `ends`, the end of a document into `END`."""

    def __init__(self, tokenizer: Tokenizer, ends: bool) -> None:
        size, end = tokenizer.vocab_size, tokenizer.end
        parts = [np.frombuffer(tokenizer.decode_bytes([i]), np.uint8).astype(np.uint16) for i in range(size)]
        if end is not None and ends:
            parts[end] = np.array([END], np.uint16)
        self.vocab = END + 1 if end is not None and ends else END
        self._bytes = np.concatenate(parts).astype(np.uint16 if self.vocab > END else np.uint8)
        self._lengths_V = np.array([len(part) for part in parts], np.int64)
        self._starts_V = np.cumsum(self._lengths_V) - self._lengths_V

    def __call__(self, ids: NDArray[Any]) -> NDArray[Any]:
        lengths = self._lengths_V[ids]
        ends = np.cumsum(lengths)
        begun = np.repeat(self._starts_V[ids] - (ends - lengths), lengths)
        return self._bytes[begun + np.arange(len(begun))]

    def all(self, ids: NDArray[Any]) -> NDArray[Any]:
        """Return the same as a call, part by part: the way there takes many times the memory of the bytes."""
        return np.concatenate([self(ids[at : at + _STEP]) for at in range(0, max(1, len(ids)), _STEP)])


def characters(tokens: Tokens, tokenizer: Tokenizer) -> Iterator[NDArray[np.uint32]]:
    """Yield the characters of `tokens` as numbers, piece by piece; a byte that is no text is one by itself."""
    expanded = Expanded(tokenizer, ends=False)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for at in range(0, len(tokens), _STEP):
        piece = expanded(tokens.ids[at : at + _STEP]).tobytes()
        text = decoder.decode(piece, final=at + _STEP >= len(tokens))
        yield np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
