"""Text in lines of a width; a name and its value stand on one line, wherever it ends."""

from __future__ import annotations

import re
import unicodedata

_HELD = "\x00"
"""Stands for a blank that no line ends at."""

_SIGN = r"(?:[<>]=?|=)"
_UNIT = r"(?:[kMGT]i?B|bytes|s|ms|min|h|d)"
_COMMAND = r"`[^`\n]+`"
"""In two parts it is another one."""

_PAIRS = (
    r"(?<![\w-])--[a-z][\w.-]*\w (?=[^\s|])"  # an option and its value
    r"|(?<=[\w.]:) (?=\{?[^{}]{0,200}\})"  # what stands in {name: value}
    rf"|(?<=\S) {_SIGN} (?=\S)|(?<!\S){_SIGN} (?=\S)"  # int >= 1, and < 1 behind a comma
    rf"|(?<=\d) (?={_UNIT}\b)"
)
_TOGETHER = tuple(map(re.compile, (rf"{_COMMAND}|\{{[^{{}}]*\}}|{_PAIRS}", rf"{_COMMAND}|{_PAIRS}", _COMMAND)))
"""What stands on one line; the next of them where there is no room for all that."""


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes: two for a Chinese character, none for an accent.

    Example:
        >>> columns("stem"), columns("幹流")
        (4, 4)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def parts(text: str, room: int) -> list[str]:
    """Return what lines of `text` are made of, each part with the blanks in front of it.

    Names and their values are one part where there is room for both on a line; a command in backquotes is always one.

    Example:
        >>> parts("many streams {streams: 4, weights: dynamic}, by `train --help`", 20)
        ['many', ' streams', ' {streams: 4,', ' weights: dynamic},', ' by', ' `train --help`']
        >>> parts("a rate [number > 0]", 10)
        ['a', ' rate', ' [number', ' >', ' 0]']
    """
    found = _apart(re.sub(r"[\0\t-\r]", " ", text), _TOGETHER[0])
    for together in _TOGETHER[1:]:
        found = [
            part for whole in found for part in (_apart(whole, together) if columns(whole.strip()) > room else [whole])
        ]
    return found


def fill(text: str, width: int, first: str = "", indent: int = 0) -> list[str]:
    """Return `text` in lines of at most `width` columns: the first begins with `first`, the others with blanks.

    A part that is wider than a line has a line of its own. Of nothing there is no line.

    Example:
        >>> fill("a learned number {start: 1.0}", 24, "  gate  ", 8)
        ['  gate  a learned number', '        {start: 1.0}']
    """
    found, now, begun = [], first, False
    for part in parts(text, width - indent):
        more = part if begun else part.lstrip()
        if begun and columns(now + more) > width:
            found.append(now)
            now, more = " " * indent, part.lstrip()
        now, begun = now + more, True
    return [*found, now.rstrip()] if now.strip() else []


def _apart(text: str, together: re.Pattern[str]) -> list[str]:
    held = together.sub(lambda found: found[0].replace(" ", _HELD), text)
    return [part.replace(_HELD, " ") for part in re.findall(r" *[^ ]+", held)]
