"""How large the units of a text should be, by its size."""

from __future__ import annotations

from typing import Literal, NamedTuple


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
"""What `auto` stands for in data.tokenizer and in its vocabulary: what docs/results/tokenizers.md measured.

Units of several characters must be seen often enough to be learned, so a larger text takes larger ones. Below 600,000
characters a run learns the text by heart before units pay.
"""


TOLD, FEW = 0.25, 3.0
"""Share of the entropy of a character that the two before it take away, and that entropy in bits, below both of which a
text keeps its characters however long it is: units of several letters tell no more there. By the first mebibyte they
are 0.02 and 2.0 for DNA, whose pairs lose. Of proteins, with 0.01 and 4.2, pairs do tell more, as long pieces of them
occur again: by counts 2.91 bits a letter, where characters have 3.00. The share is 0.36 for Moby Dick and for a list of
German words, 0.28 for English without spaces."""

MUCH, EARLY = 0.7, 300_000
"""The same share from which on a text is so regular that pairs are taken from so many characters on. It is 0.72 for a
log, 0.71 to 0.79 for tables and records in JSON, and at most 0.64 for all other texts in an alphabet that were tried,
code and markup among them. At 90,000 characters of the log pairs still lose."""

SIGNS = 512
"""Distinct characters that an alphabet may have, with its signs; scripts of words or syllables have thousands, of which
two are too rare in a short text to say what follows them."""


def row(chars: int) -> Row:
    """Return the row of the table for a training text of so many characters.

    Example:
        >>> row(1_000_000).name
        'bpe'
    """
    return max(each for each in TABLE if each.least <= chars)


def merges(chars: int, told: float, bits: float, distinct: int) -> bool:
    """Return whether merged pairs are better than characters for a training text of so many characters.

    Args:
        told: share of the entropy of a character that the two before it take away.
        bits: that entropy.
        distinct: how many distinct characters that was found with.

    Example:
        >>> merges(1_000_000, 0.4, 4.5, 80), merges(300_000, 0.4, 4.5, 80), merges(300_000, 0.75, 4.5, 80)
        (True, False, True)
        >>> merges(1_000_000, 0.02, 2.0, 5), merges(1_000_000, 0.01, 4.2, 25)
        (False, True)
    """
    if row(chars).name == "bpe":
        return told >= TOLD or bits >= FEW
    return chars >= EARLY and told >= MUCH and distinct <= SIGNS
