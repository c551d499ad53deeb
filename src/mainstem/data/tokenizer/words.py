"""The words of a text, which a merge never reaches beyond, and how the library `tokenizers` spells them."""

from __future__ import annotations

import functools
import re

_SIGNS = r"!-/:-@\[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u2bff\u3000-\u303f\uff00-\uff0f"
LONGEST = 1000
"""Letters of a word, from which on it goes on as another: learning merges is quadratic in a word, and a genome is one.

A cut falls where so many letters have been, whatever they are, and what stands beside it is merged otherwise than
elsewhere. So of two proteins that are alike from different places on, short words would hide how alike they are.
"""

BEFORE = 24
"""What `LONGEST` was before tokenizers were stored with theirs."""


def pattern(longest: int) -> str:
    """Return what a token may not reach beyond: a few digits, at most `longest` letters, signs, or white space.

    A space goes with what follows it. Every character belongs to one of these, and every repeat is bounded.
    """
    return rf"\d{{1,3}}| ?[^\s\d{_SIGNS}]{{1,{longest}}}| ?[{_SIGNS}]{{1,24}}|\s{{1,64}}(?!\S)|\s{{1,64}}"


def words(text: str, longest: int = LONGEST) -> list[str]:
    """Return `text` as its words."""
    return _compiled(longest).findall(text)


@functools.cache
def _compiled(longest: int) -> re.Pattern[str]:
    return re.compile(pattern(longest))


BREAK = re.compile(r"\S(?=\r?\n)")
"""Between a visible character and a line break no word goes on."""

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]


def letters() -> list[str]:
    """Return the character that stands for each byte inside the library: its own where that is printable."""
    letters = {value: chr(value) for value in _PRINTABLE}
    for value in range(256):
        if value not in letters:
            letters[value] = chr(256 + len(letters) - len(_PRINTABLE))
    return [letters[value] for value in range(256)]


@functools.cache
def _spelling() -> dict[int, str]:
    return dict(enumerate(letters()))


def spelled(word: str) -> str:
    """Return `word` with a letter for each of its bytes, as the library has it."""
    return word.encode().decode("latin-1").translate(_spelling())
