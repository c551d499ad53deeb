"""Merged pairs as units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from ..meter import Progress
from ..reading import Text
from ..sides import TRAIN, sides
from ..split import Split, num_trained
from ..tokenizer import Bpe, Tokenizer, learned
from . import table
from .base import Choice, Units, has_ends

_SAMPLE = 1 << 24
"""Bytes of training text that a vocabulary is learned from, spread evenly where there is more."""

_BLOCK = 1 << 16
"""Bytes of text that are taken or left out together."""

_BREAK = re.compile(rb"[!-~](?=\r?\n)")
"""Between a visible character and a line break no word goes on."""


@dataclass(frozen=True)
class Pairs(Units):
    """Bytes, and ids for pairs of ids that occur often.

    Args:
        vocabulary: how many ids there are; auto: by the size of the text.

    Source:
        Sennrich et al. 2016 (1508.07909), merged pairs, here of bytes.
        Read: code of the authors (rsennrich/subword-nmt).
        Differs: pairs of bytes, where theirs are of characters, each of which ends a word or does not.

    Example:
        >>> Pairs(vocabulary=512)
        Pairs(vocabulary=512)
    """

    learns: ClassVar[type[Tokenizer] | None] = Bpe
    least: ClassVar[int] = 257

    vocabulary: Annotated[int, Meta(ge=257, le=1000000)] | Literal["auto"] = "auto"

    def learn(self, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
        size = table.row(num_trained(text.found, chosen)).vocabulary if self.vocabulary == "auto" else self.vocabulary
        return Choice(merged(size, text, chosen, progress), "asked for")

    def follows(self) -> Any:
        return table.TABLE if self.vocabulary == "auto" else None


def merged(vocabulary: int, text: Text, chosen: Split, progress: Progress | None) -> Bpe:
    """Return a tokenizer of `vocabulary` ids that is learned from the training part."""
    pieces = sides(text.pieces("vocabulary", progress), chosen)
    share = min(1.0, _SAMPLE / text.found.num_bytes)
    trained = _spread((piece.data for side, piece in pieces if side == TRAIN), share)
    return learned.train(trained, vocabulary, has_ends(text))


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
