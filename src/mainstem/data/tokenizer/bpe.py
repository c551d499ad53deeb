"""Byte-pair encoding over bytes: ids 0 to 255 are the bytes, each further id joins two earlier ones.

The library `tokenizers` applies the merges, as it finds them (`learned.py`); the vocabulary that is stored is our own,
and holds numbers only, so that a stranger's file can bring no pattern and no code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct
from tokenizers import Tokenizer as Library
from tokenizers import models

from ...errors import BadInput
from .base import Ids, Tokenizer
from .byte import SINGLE
from .words import BEFORE, BREAK, LONGEST, letters, spelled, words

_LONGEST = 1 << 12
"""Bytes of a token: no word has as many, so none is ever learned."""

_MOST = 1 << 26
"""Bytes of all tokens together: a million of them have a tenth of that."""

_GROUP = 1 << 18
"""Characters whose words are held at once: as strings they take twenty times the room."""

_REMEMBERED = 1 << 20
"""Ids of words that are kept; text repeats its words, and looking one up is far cheaper than merging it again."""


class _Words(dict[str, int]):
    """The number of every word that was asked for, in the order of asking; `new` has those without ids as yet."""

    def __init__(self) -> None:
        self.new: list[str] = []

    def __missing__(self, word: str) -> int:
        self.new.append(word)
        number = self[word] = len(self)
        return number


class _State(Struct):
    merges: list[tuple[int, int]]
    end: bool
    longest: Annotated[int, Meta(ge=1, le=LONGEST)] = BEFORE


class Bpe(Tokenizer):
    """The bytes, then one id for each of `merges` (pairs of ids) that makes a new string, in order.

    Merges stay within words, which have at most `longest` letters.

    Example:
        >>> Bpe([(104, 105)]).encode("hi h")
        [256, 32, 104]
    """

    name = "bpe"

    def __init__(self, merges: Sequence[tuple[int, int]], end: bool = False, longest: int = LONGEST) -> None:
        tokens = list(SINGLE)
        ids = {token: i for i, token in enumerate(tokens)}
        held = len(tokens)
        for left, right in merges:
            if not (0 <= left < len(tokens) and 0 <= right < len(tokens)):
                raise BadInput(f"The merge of {left} and {right} joins tokens that are not there yet.")
            token = tokens[left] + tokens[right]
            if len(token) > _LONGEST:  # else a few merges of a stranger's file would fill the memory
                raise BadInput(f"The merge of {left} and {right} makes a token of {len(token)} bytes.")
            if token not in ids:
                held += len(token)
                if held > _MOST:
                    raise BadInput(f"The merges make tokens of more than {_MOST:,} bytes in all.")
                ids[token] = len(tokens)
                tokens.append(token)
        self.merges = [(int(left), int(right)) for left, right in merges]
        self.longest = longest
        super().__init__(tokens, end)
        self._library = _build(tokens, self.merges)
        self._forget()

    def _forget(self) -> None:
        """Know no word. Word w will have `_sizes_W[w]` ids, which begin in `_ids` at `_starts_W[w]`."""
        self._words = _Words()
        self._ids, self._starts_W, self._sizes_W = (np.zeros(0, np.int64) for _ in range(3))

    def encode_pieces(self, pieces: Sequence[bytes]) -> tuple[Ids, Ids]:
        found, lengths = [np.zeros(0, np.int64)], np.zeros(len(pieces), np.int64)
        for group in _groups(pieces):
            words_P = [words(text, self.longest) for _, text in group]
            ids, sizes_P = self._look_up(words_P)
            np.add.at(lengths, [number for number, _ in group], sizes_P)
            found.append(ids)
        return np.concatenate(found), lengths

    def _look_up(self, words_P: list[list[str]]) -> tuple[Ids, Ids]:
        """Return the ids of all words, and how many each piece has."""
        if len(self._ids) > _REMEMBERED:
            self._forget()
        asked = np.fromiter(map(self._words.__getitem__, chain.from_iterable(words_P)), np.int64)
        if self._words.new:
            self._learn(self._words.new)
            self._words.new = []
        sizes = self._sizes_W[asked]
        ends = np.concatenate([[0], np.cumsum(sizes)])
        before = np.repeat(self._starts_W[asked] - ends[:-1], sizes)
        return self._ids[before + np.arange(len(before))], np.diff(ends[np.cumsum([0, *map(len, words_P)])])

    def _learn(self, new: list[str]) -> None:
        """Add the ids of these words, which are numbered last."""
        found = self._library.encode_batch_fast(list(map(spelled, new)), add_special_tokens=False)
        ids = [encoding.ids for encoding in found]
        sizes = np.fromiter(map(len, ids), np.int64)
        self._starts_W = np.concatenate([self._starts_W, len(self._ids) + np.cumsum(sizes) - sizes])
        self._sizes_W = np.concatenate([self._sizes_W, sizes])
        self._ids = np.concatenate([self._ids, np.fromiter(chain.from_iterable(ids), np.int64)])

    def encode_raw(self, data: bytes) -> list[int]:
        return list(data)

    def state(self) -> dict[str, Any]:
        stored: dict[str, Any] = {"merges": self.merges, "end": self.end is not None}
        if self.longest != BEFORE:  # so a file from before gives its own bytes again
            stored["longest"] = self.longest
        return stored

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Bpe:
        found = msgspec.convert(state, _State)
        return cls(found.merges, found.end, found.longest)


def _build(tokens: list[bytes], merges: list[tuple[int, int]]) -> Library:
    alphabet = letters()
    names = ["".join(alphabet[byte] for byte in token) for token in tokens]
    model = models.BPE(
        vocab={name: i for i, name in enumerate(names)}, merges=[(names[left], names[right]) for left, right in merges]
    )
    return Library(model)


def _groups(pieces: Sequence[bytes]) -> Iterator[list[tuple[int, str]]]:
    """Yield pieces with their numbers, some `_GROUP` characters at a time; a long one is cut where no word is."""
    group: list[tuple[int, str]] = []
    size = 0
    for number, piece in enumerate(pieces):
        text = piece.decode()
        start = 0
        while start < len(text):
            cut = BREAK.search(text, start + _GROUP)
            stop = cut.end() if cut is not None else len(text)
            group.append((number, text[start:stop]))
            size += stop - start
            start = stop
            if size >= _GROUP:
                yield group
                group, size = [], 0
    if group:
        yield group
