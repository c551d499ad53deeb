"""Byte-pair encoding over bytes: ids 0 to 255 are the bytes, each further id joins two earlier ones. May import its base.

The library `tokenizers` finds the merges and applies them; the vocabulary that is stored is our own, and holds numbers
only, so that a stranger's file can bring no pattern and no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from ...errors import BadInput
from .base import Ids, Tokenizer
from .byte import SINGLE

_WORD = r"\p{N}{1,3}| ?[\p{L}\p{M}]{1,24}| ?[^\s\p{L}\p{M}\p{N}]{1,24}|\s{1,64}(?!\S)|\s{1,64}"
"""Where tokens may not join. Every repeat is bounded: merging is quadratic in a word, and a genome is one word."""

_PART = 1 << 15
"""Bytes that one thread encodes at a time."""

_BREAK = re.compile(rb"[!-~](?=\n)")

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]


def _letters() -> list[str]:
    """Return the character that stands for each byte inside the library: its own where that is printable."""
    letters = {value: chr(value) for value in _PRINTABLE}
    for value in range(256):
        if value not in letters:
            letters[value] = chr(256 + len(letters) - len(_PRINTABLE))
    return [letters[value] for value in range(256)]


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
            if token not in ids:
                ids[token] = len(tokens)
                tokens.append(token)
        self.merges = [(int(left), int(right)) for left, right in merges]
        super().__init__(tokens, end)
        self._library = _build(tokens, self.merges)

    def encode_pieces(self, pieces: Sequence[bytes]) -> tuple[Ids, Ids]:
        parts, owners = [], []
        for number, piece in enumerate(pieces):
            for part in _parts(piece):
                parts.append(part)
                owners.append(number)
        found = [encoding.ids for encoding in self._library.encode_batch_fast(parts, add_special_tokens=False)]
        lengths = np.zeros(len(pieces), np.int64)
        counts = np.array([len(ids) for ids in found], np.int64)
        np.add.at(lengths, np.array(owners, np.int64), counts)
        return np.fromiter(chain.from_iterable(found), np.int64, int(counts.sum())), lengths

    def encode_raw(self, data: bytes) -> list[int]:
        return list(data)

    def state(self) -> dict[str, Any]:
        return {"merges": self.merges, "end": self.end is not None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Bpe:
        return cls([(int(left), int(right)) for left, right in state["merges"]], bool(state["end"]))


def train(texts: Iterable[bytes], vocabulary: int, end: bool) -> Bpe:
    """Return a vocabulary of at most `vocabulary` ids, the end of a document among them, learned from `texts`."""
    letters = _letters()
    trainer = trainers.BpeTrainer(
        vocab_size=max(256, vocabulary - end), min_frequency=2, show_progress=False, initial_alphabet=letters
    )
    library = Library(models.BPE())
    library.pre_tokenizer = _words()
    library.train_from_iterator((part for text in texts for part in _parts(text)), trainer)
    state = library.to_str()
    return Bpe(_merges(state, letters), end)


def _merges(state: str, letters: list[str]) -> list[tuple[int, int]]:
    """Translate the library's merges, which are pairs of strings, into pairs of our ids."""
    import msgspec

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
    library.pre_tokenizer = _words()
    return library


def _words() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_WORD), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def _parts(piece: bytes) -> Iterator[str]:
    """Cut a long piece between a visible character and a line break, where no token could have joined."""
    start = 0
    while len(piece) - start > 2 * _PART:
        match = _BREAK.search(piece, start + _PART)
        if match is None:
            break
        yield piece[start : match.end()].decode()
        start = match.end()
    yield piece[start:].decode()
