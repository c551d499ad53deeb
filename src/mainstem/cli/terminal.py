"""Writing to whatever standard output is: a terminal, a pipe that closes early, nothing at all."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

_JOINERS = "\u200c\u200d"
"""Invisible, and needed to write Persian or a family of emoji; the other format characters can turn a line around."""

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Those of Unicode, which Python does not call printable: a Chinese paragraph begins with two, a French colon has one
before it."""


def clean(text: str, keep: str = "\n\t") -> str:
    r"""Return `text` with every control character, but those of `keep`, written out: text from files moves no cursor.

    Example:
        >>> print(clean("a\x1b[2Jb"))
        a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep or c in _JOINERS + _SPACES else _escaped(c) for c in text)


def write(text: str, stream: TextIO | None = None) -> None:
    """Write `text`, cleaned, to standard output; what its encoding lacks is written out as an escape."""
    stream = stream if stream is not None else sys.stdout
    if stream is None:  # closed before we began
        return
    encoding = stream.encoding or "ascii"
    stream.write(clean(text).encode(encoding, "backslashreplace").decode(encoding))


def line(text: str = "", stream: TextIO | None = None) -> None:
    """Write `text` and a new line."""
    write(f"{text}\n", stream)


def sentence(text: str, stream: TextIO | None = None) -> None:
    """Write `text` in lines that are cut between words."""
    for part in _cut(text):
        line(part, stream)


def error(text: str) -> None:
    """Write one sentence to standard error; where that cannot be written to, the exit code says enough.

    A terminal has it in lines cut between words; a file or a pipe has one line.
    """
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            told = f"mainstem: {clean(text, keep='')}"
            if sys.stderr.isatty():
                told = "\n".join(_cut(told))
            line(told, sys.stderr)
            sys.stderr.flush()


def flush() -> None:
    """Write out what waits, so that an error of it is ours and not the interpreter's at its exit."""
    if sys.stdout is not None:
        sys.stdout.flush()


def to_nowhere() -> None:
    """Send what is still to come nowhere: Python flushes standard output once more at its exit, and would complain."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def width(most: int = 80) -> int:
    """Return how many columns a line may have: those of the terminal, at most `most`, at least 20."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and 0 < len(columns) < 6 and int(columns) > 0:
        return max(20, min(most, int(columns)))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = os.get_terminal_size(sys.stdout.fileno()).columns
        return max(20, min(most, found)) if found else most
    return most


def _cut(text: str) -> list[str]:
    from ..config.wrapping import fill  # of use where there is much to say, which is seldom

    return fill(text, width())


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
