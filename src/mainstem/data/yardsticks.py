"""What the held-out part costs without a network, in bits per byte: a unigram model, and lzma. May import its siblings.

Shapes: V tokens of the vocabulary.
"""

from __future__ import annotations

import hashlib
import lzma as codec
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from .. import files
from .corpus import Corpus
from .tokenizer import Tokenizer
from .tokens import Tokens

TAIL = 1 << 24
"""Bytes of training text, its last, that lzma sees before the held-out part."""

_LARGEST_DICTIONARY = 1 << 26
_STEP = 1 << 18


class _Kept(Struct):
    bits_per_byte: Annotated[float, Meta(ge=0)]


def unigram(corpus: Corpus) -> float:
    """Return the bits per byte of the held-out tokens when each is drawn by itself, as often as in the training part.

    ``-sum_t log2((count(t) + 1) / (N + V)) / bytes``, with the counts of the N training tokens and one more for each of
    the V ids, so that none is impossible.
    """
    size = corpus.tokenizer.vocab_size
    seen_V, asked_V = _counts(corpus.train, size), _counts(corpus.held_out, size)
    bits_V = math.log2(len(corpus.train) + size) - np.log2(seen_V + 1.0)
    return float(asked_V @ bits_V) / corpus.held_out.num_bytes


def _counts(tokens: Tokens, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    total = np.zeros(size, np.float64)
    for start in range(0, len(tokens), _STEP):
        total += np.bincount(tokens.ids[start : start + _STEP], minlength=size)
    return total


def lzma(corpus: Corpus, cache: Path | None = None) -> float:
    """Return the bits per byte that the held-out text adds to the compressed end of the training text.

    ``8 * (|lzma(tail + held_out)| - |lzma(tail)|) / bytes(held_out)``, where `tail` is the last `TAIL` bytes of the
    training text at most, and the dictionary holds both (up to 64 MiB). The number is kept in `cache`, if one is given.
    The work is done without the interpreter's lock, so that it may run beside a training.
    """
    start = _tail_start(corpus.train)
    name = _name(corpus, start)
    if cache is not None and (known := _read(cache / name)) is not None:
        return known
    tail = min(TAIL, int(corpus.train.num_bytes))
    size = 1 << max(16, (tail + corpus.held_out.num_bytes - 1).bit_length())
    dictionary = min(size, _LARGEST_DICTIONARY)
    alone = _compressed(_tail(corpus, start), dictionary)
    both = _compressed(_chain(_tail(corpus, start), _text(corpus.held_out, corpus.tokenizer)), dictionary)
    found = 8.0 * (both - alone) / corpus.held_out.num_bytes
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        files.write_atomic(cache / name, msgspec.json.encode({"version": 1, "bits_per_byte": found}) + b"\n")
    return found


def _tail_start(train: Tokens) -> int:
    """Return the token with which the tail begins: the first of those that together have at most `TAIL` bytes."""
    room, stop = TAIL, len(train)
    while stop > 0:
        start = max(0, stop - _STEP)
        sizes = train.lengths_V[train.ids[start:stop]]
        if int(sizes.sum()) > room:
            behind = np.cumsum(sizes[::-1])
            return stop - int(np.searchsorted(behind, room, side="right"))
        room -= int(sizes.sum())
        stop = start
    return 0


def _tail(corpus: Corpus, start: int) -> Iterator[bytes]:
    return _text(corpus.train, corpus.tokenizer, start)


def _text(tokens: Tokens, tokenizer: Tokenizer, start: int = 0) -> Iterator[bytes]:
    for at in range(start, len(tokens), _STEP):
        yield tokenizer.decode_bytes(tokens.ids[at : at + _STEP].tolist())


def _chain(*parts: Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield from part


def _compressed(texts: Iterator[bytes], dictionary: int) -> int:
    """Return the length of `texts`, compressed as one stream."""
    filters = [{"id": codec.FILTER_LZMA2, "preset": 6, "dict_size": dictionary}]
    compressor = codec.LZMACompressor(format=codec.FORMAT_RAW, filters=filters)
    return sum(len(compressor.compress(text)) for text in texts) + len(compressor.flush())


def _name(corpus: Corpus, start: int) -> str:
    """Return a name that differs where the tail or the held-out text does."""
    digest = hashlib.sha256(corpus.facts["held_out_hash"].encode())
    for text in _tail(corpus, start):
        digest.update(text)
    return f"lzma-{digest.hexdigest()[:32]}.json"


def _read(path: Path) -> float | None:
    try:
        return files.load(path, _Kept, 1 << 10).bits_per_byte
    except files.Unusable:
        return None
