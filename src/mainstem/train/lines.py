"""Text in lines of a width: folded between words, or with the less important words left out. May import nothing."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

WIDTH = 80


class Word(NamedTuple):
    """Part of a line; the higher its `rank`, the sooner it is left out. One that begins with a blank joins on."""

    text: str
    rank: int


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes: two for a Chinese character, none for an accent.

    >>> columns("stem"), columns("幹流")
    (4, 4)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def fold(text: str, width: int = WIDTH, indent: str = "") -> list[str]:
    """Return `text` in lines of at most `width` columns, all but its first indented.

    A line of `text` that begins with a blank stays as it is, and so does what stands in backquotes: a command that is
    cut in two is another command. A word that is wider than a line keeps a line of its own.

    >>> fold("a river and its main stem", 12, "  ")
    ['a river and', '  its main', '  stem']
    """
    found: list[str] = []
    for line in text.split("\n"):
        now = indent if found else ""
        if line[:1].isspace() or columns(now + line) <= width:
            found.append(line if line[:1].isspace() else now + line)
            continue
        for number, word in enumerate(re.findall(r"(?:`[^`]*`|\S)+", line)):
            if number and columns(now) + 1 + columns(word) > width:
                found.append(now)
                now = indent + word
            else:
                now += f" {word}" if number else word
        found.append(now)
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

    >>> fit([Word("step 1/9", 1), Word("loss 2.5", 2), Word("left 0:09", 0)], 20)
    'step 1/9  left 0:09'
    """
    line = joined(keep(words, width))
    while columns(line) > width:
        line = line[:-1]
    return line


def command(*words: str | Path) -> str:
    """Return a command of ours to be copied, quoted as a shell wants it.

    >>> command("train", "--resume", "my runs/first")
    "mainstem train --resume 'my runs/first'"
    """
    return shlex.join(["mainstem", *map(str, words)])
