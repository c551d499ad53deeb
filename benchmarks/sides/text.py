"""A text in two parts, as the sides see it: as characters, as bytes, or as merged pairs.

Shapes: V ids of a vocabulary, N ids of a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHARE = 0.9
"""Of the characters, those that a side may learn from; all that follow are scored."""

FEW, SMALL, LARGE = 32, 600_000, 3_000_000
"""Distinct characters, and bytes of text, at which another kind of token is better; see docs/results/tokenizers.md."""

_PIECE = 1 << 16


class Parts(NamedTuple):
    """The text that is learned from, and the text that is scored."""

    train: str
    held: str

    @property
    def held_bytes(self) -> int:
        return len(self.held.encode())


class Ids(NamedTuple):
    """Both parts as ids of a vocabulary, and the bytes that each id stands for; 0 where that differs by its place."""

    train: NDArray[np.int64]
    held: NDArray[np.int64]
    vocab: int
    kind: str


def read(path: Path) -> Parts:
    """Return a file in two parts, without a change to its line breaks."""
    text = path.read_bytes().decode()
    cut = int(len(text) * SHARE)
    return Parts(text[:cut], text[cut:])


def characters(parts: Parts) -> Ids:
    """Return the parts as characters. The alphabet is that of the whole text, as nanoGPT has it: none is unknown."""
    alphabet = sorted(set(parts.train) | set(parts.held))
    lookup = {character: number for number, character in enumerate(alphabet)}
    return _checked(parts, "characters", len(alphabet), lambda text: [lookup[each] for each in text], alphabet)


def raw_bytes(parts: Parts) -> Ids:
    """Return the parts as their bytes."""
    names = [chr(number) for number in range(256)]
    return _checked(parts, "bytes", 256, lambda text: list(text.encode()), names, spelled=True)


def pairs(parts: Parts, vocab: int) -> Ids:
    """Return the parts as byte pairs that were merged in the training part, within the words of GPT-2's pattern."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(_pieces(parts.train), trainer)

    def encode(text: str) -> list[int]:
        return [number for found in tokenizer.encode_batch(list(_pieces(text))) for number in found.ids]

    size = tokenizer.get_vocab_size()
    names = [tokenizer.id_to_token(number) for number in range(size)]  # a character of these stands for a byte
    return _checked(parts, f"{size} pairs", size, encode, names, spelled=True)


def best(parts: Parts) -> Ids:
    """Return the parts as the tokens that are best for a text of this size, by the table of this project.

    Characters where there is little text, or where the alphabet is small, as that of DNA; else 1,024 or 4,096 pairs.
    """
    size = len(parts.train.encode()) + parts.held_bytes
    if size < SMALL or len(set(parts.train)) < FEW:
        return characters(parts)
    return pairs(parts, 1024 if size < LARGE else 4096)


def _checked(
    parts: Parts, kind: str, vocab: int, encode: Callable[[str], list[int]], names: list[str], spelled: bool = False
) -> Ids:
    """Return the ids of both parts; every byte of the held-out part must be in one of its ids, and in one only."""
    train, held = (np.array(encode(text), np.int64) for text in parts)
    lengths_V = np.array([len(name) if spelled else len(name.encode()) for name in names])
    covered = int(lengths_V[held].sum())
    if covered != parts.held_bytes:
        raise AssertionError(f"{kind} cover {covered} bytes of the {parts.held_bytes} that are to be scored")
    return Ids(train, held, vocab, kind)


def _pieces(text: str) -> Iterator[str]:
    """Yield the text in pieces that end at a line, where there are lines."""
    at = 0
    while at < len(text):
        end = text.rfind("\n", at + 1, at + _PIECE) + 1 or at + _PIECE
        yield text[at:end]
        at = end
