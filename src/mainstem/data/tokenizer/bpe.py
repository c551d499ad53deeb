"""Byte-pair encoding over bytes: ids 0 to 255 are the bytes, each further id joins two earlier ones. May import base.

The library `tokenizers` finds the merges and applies them; the vocabulary that is stored is our own, and holds numbers
only, so that a stranger's file can bring no pattern and no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from ...errors import BadInput
from .base import Ids, Tokenizer
from .byte import SINGLE

_SIGNS = r"!-/:-@\[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u2bff\u3000-\u303f\uff00-\uff0f"
_WORD = rf"\d{{1,3}}| ?[^\s\d{_SIGNS}]{{1,24}}| ?[{_SIGNS}]{{1,24}}|\s{{1,64}}(?!\S)|\s{{1,64}}"
"""What a token may not reach beyond: a few digits, a word, signs, or white space; a space goes with what follows it.

Every character belongs to one of them. Every repeat is bounded: merging is quadratic in a word, and a genome is
one word.
"""

_PART = 1 << 15
"""Characters that one thread learns from at a time."""

_LONGEST = 1 << 12
"""Bytes of a token: no word has as many, so none is ever learned."""

_GROUP = 1 << 18
"""Characters whose words are held at once: as strings they take twenty times the room."""

_BREAK = re.compile(r"[!-~](?=\n)")
"""Between a visible character and a line break no word goes on."""

_REMEMBERED = 1 << 18
"""Words whose ids are kept; text repeats its words, and looking one up is far cheaper than merging it again."""

_WORDS = re.compile(_WORD)

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]


def _letters() -> list[str]:
    """Return the character that stands for each byte inside the library: its own where that is printable."""
    letters = {value: chr(value) for value in _PRINTABLE}
    for value in range(256):
        if value not in letters:
            letters[value] = chr(256 + len(letters) - len(_PRINTABLE))
    return [letters[value] for value in range(256)]


class _State(Struct):
    merges: list[tuple[int, int]]
    end: bool


class Bpe(Tokenizer):
    """The bytes, then one id for each of `merges` (pairs of ids) that makes a new string, in order.

    >>> Bpe([(104, 105)]).encode("hi h")
    [256, 32, 104]
    """

    name = "bpe"

    def __init__(self, merges: Sequence[tuple[int, int]], end: bool = False) -> None:
        tokens = list(SINGLE)
        ids = {token: i for i, token in enumerate(tokens)}
        for left, right in merges:
            if not (0 <= left < len(tokens) and 0 <= right < len(tokens)):
                raise BadInput(f"The merge of {left} and {right} joins tokens that are not there yet.")
            token = tokens[left] + tokens[right]
            if len(token) > _LONGEST:  # else a few merges of a stranger's file would fill the memory
                raise BadInput(f"The merge of {left} and {right} makes a token of {len(token)} bytes.")
            if token not in ids:
                ids[token] = len(tokens)
                tokens.append(token)
        self.merges = [(int(left), int(right)) for left, right in merges]
        super().__init__(tokens, end)
        self._library = _build(tokens, self.merges)
        self._known: dict[str, list[int]] = {}

    def encode_pieces(self, pieces: Sequence[bytes]) -> tuple[Ids, Ids]:
        found, lengths = [np.zeros(0, np.int64)], np.zeros(len(pieces), np.int64)
        for group in _groups(pieces):
            words_P = [_WORDS.findall(text) for _, text in group]
            self._learn(words_P)
            ids_P = [list(chain.from_iterable(map(self._known.__getitem__, words))) for words in words_P]
            np.add.at(lengths, [number for number, _ in group], [len(ids) for ids in ids_P])
            found.append(np.fromiter(chain.from_iterable(ids_P), np.int64))
        return np.concatenate(found), lengths

    def _learn(self, words_P: list[list[str]]) -> None:
        """See to it that all these words are known."""
        if len(self._known) > _REMEMBERED:
            self._known = {}
        known = self._known
        new = list({word: None for words in words_P for word in words if word not in known})
        for word, encoding in zip(new, self._library.encode_batch_fast(new, add_special_tokens=False), strict=True):
            known[word] = encoding.ids

    def encode_raw(self, data: bytes) -> list[int]:
        return list(data)

    def state(self) -> dict[str, Any]:
        return {"merges": self.merges, "end": self.end is not None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Bpe:
        found = msgspec.convert(state, _State)
        return cls(found.merges, found.end)


def train(texts: Iterable[bytes], vocabulary: int, end: bool) -> Bpe:
    """Return a vocabulary of at most `vocabulary` ids, the end of a document among them, learned from `texts`."""
    letters = _letters()
    trainer = trainers.BpeTrainer(
        vocab_size=max(256, vocabulary - end), min_frequency=2, show_progress=False, initial_alphabet=letters
    )
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(_WORD), "isolated"), _bytes()])
    library.train_from_iterator((part for text in texts for part in _parts(text.decode())), trainer)
    return Bpe(_merges(library.to_str(), letters), end)


def _merges(state: str, letters: list[str]) -> list[tuple[int, int]]:
    """Translate the library's merges, which are pairs of strings, into pairs of our ids."""
    found = msgspec.json.decode(state)["model"]["merges"]
    ids = {letter: i for i, letter in enumerate(letters)}
    merges = []
    for pair in found:
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        merges.append((ids[left], ids[right]))
        ids.setdefault(left + right, len(ids))
    return merges


def _build(tokens: list[bytes], merges: list[tuple[int, int]]) -> Library:
    letters = _letters()
    names = ["".join(letters[byte] for byte in token) for token in tokens]
    model = models.BPE(
        vocab={name: i for i, name in enumerate(names)}, merges=[(names[left], names[right]) for left, right in merges]
    )
    library = Library(model)
    library.pre_tokenizer = _bytes()
    return library


def _bytes() -> pre_tokenizers.PreTokenizer:
    """Return what spells a string in the letters of its bytes, and cuts it nowhere."""
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def _parts(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PART):
        yield text[start : start + _PART]


def _groups(pieces: Sequence[bytes]) -> Iterator[list[tuple[int, str]]]:
    """Yield pieces with their numbers, some `_GROUP` characters at a time; a long one is cut where no word is."""
    group: list[tuple[int, str]] = []
    size = 0
    for number, piece in enumerate(pieces):
        text = piece.decode()
        start = 0
        while start < len(text):
            cut = _BREAK.search(text, start + _GROUP)
            stop = cut.end() if cut is not None else len(text)
            group.append((number, text[start:stop]))
            size += stop - start
            start = stop
            if size >= _GROUP:
                yield group
                group, size = [], 0
    if group:
        yield group
