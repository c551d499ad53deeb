"""Bytes as text: checked while they pass, and cut where no word is."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInput
from . import formats
from .names import shown

MARK = "\ufeff"
"""The byte-order mark: some editors begin a file with it. It says how the file is coded and is no part of the text."""


class NotText(BadInput):
    """A file that is not UTF-8 text: refused where it was given by name, left out where a folder was given."""


_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
"""Of other codings; that of UTF-32 begins with that of UTF-16."""

_UNMARKED = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")
_LEAST, _HEAD = 8, 1 << 16
"""Bytes of a file that are looked at for its coding, at least and at most."""

_SIGN = 16
"""Bytes of a file by which a binary format is known."""

_REPLACED = "\ufffd"
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
"""Categories of Unicode whose characters text does not have, line ends and tabs aside."""

_LAST_GAP = re.compile(r".*\S(?=[ \t\n\r])", re.DOTALL)
"""White space beyond ASCII is none here: a wide space is a sign, which a word may hold."""


def text(path: Path, stream: Iterator[bytes]) -> Iterator[str]:
    """Yield the characters of `stream` behind its byte-order mark, if it has one.

    Raises:
        BadInput: for the mark of another coding, and with the offset of the first byte that is not text.
    """
    rest, offset, head = b"", 0, b""
    for chunk in stream:
        head = head or chunk[:_SIGN]
        if not offset and not rest:
            if (name := next((name for mark, name in _MARKS.items() if chunk.startswith(mark)), None)) is not None:
                raise _other(path, f"begins with the mark of {name}", name)
            if chunk.startswith(codecs.BOM_UTF8):
                chunk, offset = chunk[len(codecs.BOM_UTF8) :], len(codecs.BOM_UTF8)
        if (nul := chunk.find(b"\0")) >= 0:
            if not offset and not rest and (name := _coding(chunk[:_HEAD])) is not None:
                raise _other(path, f"holds {name} without its mark", name)
            raise _known(path, head) or NotText(
                f"{shown(path)} holds a NUL byte at offset {offset + len(rest) + nul}, so it is binary and no text: "
                "use --data.format bytes, or leave the file out."
            )
        data = rest + chunk
        try:
            found, rest = data.decode(), b""
        except UnicodeDecodeError as error:
            # An incomplete character at the end of a chunk is completed by the next one.
            if error.end < len(data) or error.start < len(data) - 3 or error.reason != "unexpected end of data":
                raise _known(path, head) or _not_utf8(path, offset + error.start, data[error.start]) from None
            found, rest = data[: error.start].decode(), data[error.start :]
        offset += len(data) - len(rest)
        if found:
            yield found
    if rest:
        raise _not_utf8(path, offset, rest[0])


def _coding(head: bytes) -> str | None:
    """Return the coding in which the beginning of a file, which has NUL bytes, is nothing but text; None for binary.

    Of several, the one whose characters lie in the fewest rows of 256: a wrong order of bytes scatters them.
    """
    without = head.replace(b"\0", b"")
    stray = 4 * (len(head) - len(without)) < len(head) and _is_text(without.decode("utf-8", "replace"))
    if stray or len(head) < _LEAST:
        return None
    found = {}
    for name in _UNMARKED:
        try:
            text = codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        if text and _is_text(text):
            found[name] = len({ord(c) >> 8 for c in set(text)})
    return min(found, key=lambda name: found[name], default=None)


def _is_text(text: str) -> bool:
    return all(c in "\t\n\f\r" or (c != _REPLACED and unicodedata.category(c) not in _NO_TEXT) for c in set(text))


def _known(path: Path, head: bytes) -> NotText | None:
    """Return the refusal of a binary file that is known by its first bytes, with what to do about it."""
    if (found := formats.binary(head)) is None:
        return None
    what, remedy = found
    return NotText(f"{shown(path)} is {what} and no text: {remedy}, or use --data.format bytes.")


def _other(path: Path, what: str, coding: str) -> NotText:
    return NotText(
        f"{shown(path)} {what}, and text is read as UTF-8: convert it (iconv -f {coding} -t UTF-8), or leave the file "
        "out."
    )


def _not_utf8(path: Path, offset: int, byte: int) -> NotText:
    return NotText(
        f"{shown(path)} is not UTF-8: the byte at offset {offset} is 0x{byte:02x}. Convert it (iconv -t UTF-8), use "
        "--data.format bytes, or leave the file out."
    )


def cut_between_words(texts: Iterator[str]) -> Iterator[tuple[bytes, int]]:
    """Regroup so that pieces end between two words, where there is such a place (`last_gap`).

    So a tokenizer gives what it would for the whole document.
    """
    waiting = ""
    for text in texts:
        if waiting:
            cut = last_gap(waiting) or len(waiting)
            yield waiting[:cut].encode(), cut
            waiting = waiting[cut:]
        waiting += text
    if waiting:
        yield waiting.encode(), len(waiting)


def last_gap(text: str) -> int:
    r"""Return where the last white space of ASCII begins that follows a visible character; 0 where none does.

    No rule that finds words joins across that place, whether lines end in LF, CRLF or not at all.

    Example:
        >>> last_gap("one two\r\n"), last_gap("one two"), last_gap("one\n\n")
        (7, 3, 3)
    """
    found = _LAST_GAP.match(text)
    return found.end() if found is not None else 0
