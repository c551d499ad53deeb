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


FEW = 8
"""Distinct characters up to which a text keeps them, however long it is: 4.9 MB of DNA need 1.915 bits per byte by
characters and 2.028 by 4,096 pairs, which is more than its four letters have (51 s, one seed)."""


def row(chars: int) -> Row:
    """Return the row of the table for a training text of so many characters.

    Example:
        >>> row(1_000_000).name
        'bpe'
    """
    return max(each for each in TABLE if each.least <= chars)
