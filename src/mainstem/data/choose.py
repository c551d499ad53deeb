"""Which tokenizer a corpus gets: the one that was named, or one that fits its size and script. May import siblings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..errors import BadInput
from .documents import kind
from .encode import Batcher
from .meter import Progress
from .reading import Text
from .sides import TRAIN, sides
from .split import Split, num_trained
from .tokenizer import Bpe, Byte, Char, Tokenizer, char, learned


class Row(NamedTuple):
    """From `least` characters of training text on: the tokenizer that is chosen, and the ids of one of pairs."""

    least: int
    name: Literal["char", "bpe"]
    vocabulary: int


TABLE = (
    Row(0, "char", 1024),
    Row(600_000, "bpe", 1024),
    Row(3_000_000, "bpe", 4096),
)
"""What `auto` stands for in data.tokenizer and data.vocabulary: what docs/results/tokenizers.md measured.

Units of several characters must be seen often enough to be learned, so a larger text takes larger ones. Below 600,000
characters a run learns the text by heart before units pay.
"""

_ALPHABET = 512
"""Distinct characters that an alphabet may have, with its signs; scripts of words or syllables have thousands."""

_OFTEN = 50
"""How often a character must occur on average to be worth an id of its own."""

_SAMPLE = 1 << 24
"""Bytes of training text that a vocabulary is learned from, spread evenly where there is more."""

_BLOCK = 1 << 16
"""Bytes of text that are taken or left out together."""

_BREAK = re.compile(rb"[!-~](?=\n)")
"""Between a visible character and a line break no word goes on."""


class Choice(NamedTuple):
    tokenizer: Tokenizer
    reason: str


class _Characters(NamedTuple):
    """How often each code point occurs on either side, int64 [0x110000]."""

    train: NDArray[np.int64]
    held: NDArray[np.int64]


def choose(section: config.Data, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
    """Return the tokenizer of the run, learned from the training part alone, and why it is this one."""
    name, ends = section.tokenizer, len(text.found) > 1
    if kind(section) == "bytes":
        if name not in ("auto", "byte"):
            raise BadInput(f"data.tokenizer {name} needs text, but data.format is bytes: use --data.tokenizer byte.")
        return Choice(Byte(ends), "raw bytes have no other units" if name == "auto" else "asked for")
    if name == "byte":
        return Choice(Byte(ends), "asked for")
    chars = num_trained(text.found, chosen)
    row = _row(chars)
    if name == "bpe" or (name == "auto" and row.name == "bpe"):
        why = "asked for" if name == "bpe" else f"{chars} characters: enough text to learn units of several characters"
        size = row.vocabulary if section.vocabulary == "auto" else section.vocabulary
        return Choice(_learned(size, text, chosen, ends, progress), why)
    counts = _count(text, chosen, progress)
    if name == "auto":
        name, reason = _fitting(counts.train)
        if name == "byte":
            return Choice(Byte(ends), reason)
    else:
        reason = "asked for"
    unseen = int(np.count_nonzero((counts.train == 0) & (counts.held > 0)))
    if unseen:
        reason += f"; {unseen} characters of the held-out part are not in the training part, and are read as bytes"
    # Asked for, the alphabet is the text's and no more; chosen for somebody, it must read any later text as well.
    fallback = unseen > 0 or section.tokenizer == "auto"
    return Choice(Char(char.characters(counts.train), fallback, ends), reason)


def _row(chars: int) -> Row:
    """Return the row of the table for a training text of so many characters."""
    return max(row for row in TABLE if row.least <= chars)


def _fitting(train: NDArray[np.int64]) -> tuple[Literal["char", "byte"], str]:
    """Return whether a training text of these characters is read by characters or by bytes, and the reason."""
    total, distinct = int(train.sum()), int(np.count_nonzero(train))
    said = f"{total} characters, {distinct} of them distinct"
    if distinct <= _ALPHABET:
        return "char", f"{said}: a small text in an alphabet, whose characters are all seen often"
    if total >= _OFTEN * distinct:
        return "char", f"{said}: a script of many signs, each seen {total // distinct} times on average"
    return "byte", f"{said}: too few of each to learn a character by itself"


def _batches(text: Text, chosen: Split, stage: str, progress: Progress | None) -> Iterator[tuple[bool, list[bytes]]]:
    """Yield a few MiB of text at a time, of training or of what is held out, in order."""
    waiting = {False: Batcher(), True: Batcher()}
    for held, piece in ((side != TRAIN, piece) for side, piece in sides(text.pieces(stage, progress), chosen)):
        if waiting[held].add(piece):
            yield held, [piece.data for piece in waiting[held].pieces]
            waiting[held].clear()
    for held, batcher in waiting.items():
        if batcher.pieces:
            yield held, [piece.data for piece in batcher.pieces]


def _count(text: Text, chosen: Split, progress: Progress | None) -> _Characters:
    counts = _Characters(np.zeros(0x110000, np.int64), np.zeros(0x110000, np.int64))
    for held, texts in _batches(text, chosen, "characters", progress):
        side = counts.held if held else counts.train
        side += char.histogram(texts)
    return counts


def _learned(vocabulary: int, text: Text, chosen: Split, ends: bool, progress: Progress | None) -> Bpe:
    pieces = sides(text.pieces("vocabulary", progress), chosen)
    share = min(1.0, _SAMPLE / text.found.num_bytes)
    return learned.train(_spread((piece.data for side, piece in pieces if side == TRAIN), share), vocabulary, ends)


def _spread(texts: Iterable[bytes], share: float) -> Iterator[bytes]:
    """Yield about `share` of the text, in blocks that lie evenly in it."""
    seen = taken = 0
    for data in texts:
        for block in _blocks(data):
            if taken <= share * seen:
                taken += len(block)
                yield block
            seen += len(block)


def _blocks(data: bytes) -> Iterator[bytes]:
    """Cut `data` into blocks of `_BLOCK` to twice as many bytes, between two words wherever a line ends in time."""
    start = 0
    while start < len(data):
        stop = start + _BLOCK
        if len(data) <= stop + _BLOCK:
            stop = len(data)
        elif (found := _BREAK.search(data, stop, stop + _BLOCK)) is not None:
            stop = found.end()
        else:
            while data[stop] & 0xC0 == 0x80:  # inside a character
                stop += 1
        yield data[start:stop]
        start = stop
