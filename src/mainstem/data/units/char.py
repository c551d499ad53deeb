"""Characters as units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...wording import several
from ..meter import Progress
from ..reading import Text
from ..split import Split
from ..tokenizer import Char, Tokenizer, char
from .base import Choice, Units, batches, has_ends


class Counts(NamedTuple):
    """How often each code point occurs on either side, int64 [0x110000]."""

    train: NDArray[np.int64]
    held: NDArray[np.int64]


@dataclass(frozen=True)
class Characters(Units):
    """An id for each character of the training part, and no more.

    Example:
        >>> Characters.raw is None  # raw bytes have no characters
        True
    """

    learns: ClassVar[type[Tokenizer] | None] = Char

    def learn(self, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
        return choice(text, count(text, chosen, progress), "asked for", whole=False)


def count(text: Text, chosen: Split, progress: Progress | None) -> Counts:
    """Return how often each character occurs."""
    counts = Counts(np.zeros(0x110000, np.int64), np.zeros(0x110000, np.int64))
    for held, texts in batches(text, chosen, "characters", progress):
        side = counts.held if held else counts.train
        side += char.histogram(texts)
    return counts


def choice(text: Text, counts: Counts, reason: str, whole: bool) -> Choice:
    """Return the tokenizer of these characters; the `whole` one can read any text, by bytes where it has to.

    Asked for, the alphabet is the text's and no more; chosen for somebody, it must read any later text as well.
    """
    unseen = int(np.count_nonzero((counts.train == 0) & (counts.held > 0)))
    if unseen:
        reason += (
            f"; {several(unseen, 'character')} of the held-out part, not in the training part, "
            f"{'is' if unseen == 1 else 'are'} read as bytes"
        )
    return Choice(Char(char.characters(counts.train), unseen > 0 or whole, has_ends(text)), reason)
