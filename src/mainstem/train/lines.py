"""Text in lines of a width: folded between words, or with the less important words left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..config.wrapping import columns, fill

WIDTH = 80

_LABEL = r"\S.{0,20}? {2,}"


class Word(NamedTuple):
    """Part of a line; the higher its `rank`, the sooner it is left out. One that begins with a blank joins on."""

    text: str
    rank: int


def fold(text: str, width: int = WIDTH) -> list[str]:
    """Return `text` in lines of at most `width` columns, cut between words.

    Behind a label, which is a few words with two blanks or more behind them, lines stand below what it labels. A line
    of `text` that begins with a blank stays as it is, and a name and its value stand on one line, as `wrapping` has it.

    Example:
        >>> fold("map  a river and its stem", 16)
        ['map  a river and', '     its stem']
    """
    found: list[str] = []
    for line in text.split("\n"):
        if line[:1].isspace() or columns(line) <= width:
            found.append(line)
            continue
        label = re.match(_LABEL, line)
        found += fill(line, width, indent=label.end() if label else 0)
    return found


def keep(words: Sequence[Word], width: int) -> list[Word]:
    """Return those of `words` that fit into one line of `width` columns; the lowest rank is left out last."""
    kept = list(words)
    while len(kept) > 1 and columns(joined(kept)) > width:
        kept.remove(max(kept, key=lambda word: word.rank))
    return kept


def joined(words: Sequence[Word]) -> str:
    """Return `words` as one line."""
    return "".join(word.text if word.text.startswith(" ") else f"  {word.text}" for word in words)[2:]


def fit(words: Sequence[Word], width: int = WIDTH) -> str:
    """Return as many of `words` as fit into one line of `width` columns; what is still too wide is cut.

    Example:
        >>> fit([Word("step 1/9", 1), Word("loss 2.5", 2), Word("left 0:09", 0)], 20)
        'step 1/9  left 0:09'
    """
    line = joined(keep(words, width))
    while columns(line) > width:
        line = line[:-1]
    return line
