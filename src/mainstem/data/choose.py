"""Which tokenizer a corpus gets: the one that was named, or one that fits its size and script. May import siblings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..errors import BadInput
from .documents import Documents, Progress
from .encode import Batcher
from .split import Split, sides
from .tokenizer import Bpe, Byte, Char, Tokenizer, bpe, char

_LARGE = 4_000_000
"""Characters of training text from which on units of several characters are seen often enough to be learned."""

_ALPHABET = 512
"""Distinct characters that an alphabet may have, with its signs; scripts of words or syllables have thousands."""

_OFTEN = 50
"""How often a character must occur on average to be worth an id of its own."""

_SAMPLE = 1 << 24
"""Bytes of training text that a vocabulary is learned from, spread evenly where there is more."""


class Choice(NamedTuple):
    tokenizer: Tokenizer
    reason: str


class _Characters(NamedTuple):
    """How often each code point occurs on either side, int64 [0x110000]."""

    train: NDArray[np.int64]
    held: NDArray[np.int64]


def choose(
    section: config.Data, documents: Documents, chosen: Split, ends: bool, progress: Progress | None = None
) -> Choice:
    """Return the tokenizer of the run, learned from the training part alone, and why it is this one."""
    if documents.format == "bytes":
        if section.tokenizer not in ("auto", "byte"):
            raise BadInput(
                f"data.tokenizer {section.tokenizer} needs text, but data.format is bytes: use --data.tokenizer byte."
            )
        return Choice(Byte(ends), "raw bytes have no other units" if section.tokenizer == "auto" else "asked for")
    if section.tokenizer == "byte":
        return Choice(Byte(ends), "asked for")
    name: str = section.tokenizer
    reason, counts = "asked for", None
    if name != "bpe":
        counts = _count(documents, chosen, progress)
    if name == "auto":
        assert counts is not None
        name, reason = _fitting(counts.train)
    if name == "byte":
        return Choice(Byte(ends), reason)
    if name == "char":
        assert counts is not None
        unseen = int(np.count_nonzero((counts.train == 0) & (counts.held > 0)))
        if unseen:
            reason += f"; {unseen} characters of the held-out part are not in the training part, and are read as bytes"
        # Asked for, the alphabet is the text's and no more; chosen for somebody, it must read any later text as well.
        fallback = unseen > 0 or section.tokenizer == "auto"
        return Choice(Char(char.characters(counts.train), fallback, ends), reason)
    return Choice(_learned(section, documents, chosen, ends, progress), reason)


def _fitting(train: NDArray[np.int64]) -> tuple[str, str]:
    """Return a tokenizer's name and the reason, for a training text with these characters."""
    total, distinct = int(train.sum()), int(np.count_nonzero(train))
    said = f"{total} characters, {distinct} of them distinct"
    if total >= _LARGE:
        return "bpe", f"{said}: enough text to learn units of several characters"
    if distinct <= _ALPHABET:
        return "char", f"{said}: a small text in an alphabet, whose characters are all seen often"
    if total >= _OFTEN * distinct:
        return "char", f"{said}: a script of many signs, each seen {total // distinct} times on average"
    return "byte", f"{said}: too few of each to learn a character by itself"


def _batches(
    documents: Documents, chosen: Split, stage: str, progress: Progress | None
) -> Iterator[tuple[bool, list[bytes]]]:
    """Yield a few MiB of text at a time, of one side each, in order."""
    waiting = {False: Batcher(), True: Batcher()}
    for held, piece in sides(documents.pieces(stage, progress), chosen):
        if waiting[held].add(piece):
            yield held, [piece.data for piece in waiting[held].pieces]
            waiting[held].clear()
    for held, batcher in waiting.items():
        if batcher.pieces:
            yield held, [piece.data for piece in batcher.pieces]


def _count(documents: Documents, chosen: Split, progress: Progress | None) -> _Characters:
    counts = _Characters(np.zeros(0x110000, np.int64), np.zeros(0x110000, np.int64))
    for held, texts in _batches(documents, chosen, "characters", progress):
        side = counts.held if held else counts.train
        side += char.histogram(texts)
    return counts


def _learned(section: config.Data, documents: Documents, chosen: Split, ends: bool, progress: Progress | None) -> Bpe:
    every = max(1, -(-documents.sources.num_bytes // _SAMPLE))
    number = 0

    def sample() -> Iterator[bytes]:
        nonlocal number
        for held, texts in _batches(documents, chosen, "vocabulary", progress):
            if not held:
                if number % every == 0:
                    yield from texts
                number += 1

    return bpe.train(sample(), section.vocabulary, ends)
