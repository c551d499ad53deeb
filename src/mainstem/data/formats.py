"""What a file is that is read as text and that its author may have meant otherwise.

JSON Lines, tables and markup are text, so they are read, and a sentence says how else they could be. Archives and
databases are not, and the refusal says what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import msgspec
from msgspec import Struct

JSON_LINES = "JSON Lines"

_KINDS = {
    JSON_LINES: ("keys, braces and all", ""),
    "JSON": (
        "keys, braces and all",
        "write one object a line (jq -c .[] FILE), and name the key of the text by --data.field",
    ),
    "a table": (
        "separators and all",
        "write the column of the text into a file of its own, and give --data.format lines",
    ),
    "HTML": ("tags and all", "take the text out of it first (pandoc -t plain)"),
    "XML": ("tags and all", "take the text out of it first"),
    "RTF": ("commands and all", "take the text out of it first (pandoc -t plain)"),
    "PDF": ("commands and all", "take the text out of it first (pdftotext)"),
}
"""What is read of a file of each kind besides its text, and what to do where the text alone is meant."""

_SIGNS = {"<!doctype html": "HTML", "<html": "HTML", "<?xml": "XML", "{\\rtf": "RTF", "%pdf-": "PDF"}
"""How texts begin, in small letters, and what they are."""

_BINARY = {
    b"\x1f\x8b": ("gzip", "give it a name that ends in .gz"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "give it a name that ends in .zst"),
    b"BZh": ("bzip2", "expand it first (bunzip2)"),
    b"\xfd7zXZ\0": ("xz", "expand it first (unxz)"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "expand it first"),
    b"PK\x03\x04": ("a ZIP archive, as documents of Office and EPUB are,", "take the text out of it first"),
    b"PAR1": ("Parquet", "write its texts as JSON Lines, and name their key by --data.field"),
    b"ARROW1": ("Arrow", "write its texts as JSON Lines, and name their key by --data.field"),
    b"SQLite format 3": ("an SQLite database", "write its texts as JSON Lines, and name their key by --data.field"),
    b"\x93NUMPY": ("an array of NumPy", "give the text that it was made of"),
    b"%PDF-": ("PDF", "take the text out of it first (pdftotext)"),
}
"""How files begin that are binary and hold text all the same: what each is, and the remedy."""

HEAD = 1 << 16
"""Characters of a text that are looked at."""

_ROWS = 10
_KEYS = 8
_DEEP = 4
_KEY = re.compile(r"\w[\w-]{0,39}")
_JSON = re.compile(r'\s*(\[\s*[{"]|\{\s*"(?:[^"\\\n]|\\.)*"\s*:)')


class Format(Struct, frozen=True):
    """What a text resembles, and which keys of its first line hold text, the one with the longest text first."""

    name: str
    keys: list[str] = []

    @property
    def more(self) -> str:
        """Return what is read of it besides its text."""
        return _KINDS[self.name][0]

    @property
    def remedy(self) -> str:
        """Return what to do where its text alone is meant."""
        if self.name != JSON_LINES:
            return _KINDS[self.name][1]
        if not self.keys:
            return "write it into a file of its own, as no plain key of the first line holds text"
        others = f" (it has text in {', '.join(self.keys[1:])} too)" if self.keys[1:] else ""
        return f"name its key by --data.field {self.keys[0]}{others}"


def resembles(name: str, head: str) -> Format | None:
    r"""Return what a file of this name is, whose text begins with `head`; None for what is a text and nothing else.

    Example:
        >>> resembles("a.txt", '{"id": "7", "text": "The river carries."}\n{"id": "8", "text": "Rain."}\n')
        Format(name='JSON Lines', keys=['text', 'id'])
        >>> resembles("a.txt", "The river carries.\n")
    """
    head = head.lstrip("\ufeff \t\r\n")
    begin = head[:200].lower()
    for sign, kind in _SIGNS.items():
        if begin.startswith(sign):
            return Format(kind)
    if begin.startswith(("{", "[")):
        if (keys := _json_lines(head)) is not None:
            return Format(JSON_LINES, keys)
        return Format("JSON") if _JSON.match(head) else None
    return Format("a table") if _is_table(name, head) else None


def binary(head: bytes) -> tuple[str, str] | None:
    """Return what a binary file is, and the remedy, from its first bytes; None where that is not known.

    Example:
        >>> binary(b"BZh91AY")
        ('bzip2', 'expand it first (bunzip2)')
    """
    return next((known for sign, known in _BINARY.items() if head.startswith(sign)), None)


def _json_lines(head: str) -> list[str] | None:
    """Return the keys with text in the first line, where the first lines are an object each; else None."""
    lines = [line for line in head.split("\n", _ROWS)[:_ROWS] if line.strip()]
    if len(lines) > 1 and len(head.split("\n", _ROWS)) <= _ROWS:
        lines = lines[:-1]  # which may be cut
    rows = []
    for line in lines:
        try:
            rows.append(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError):
            return None
    if not all(isinstance(row, dict) for row in rows):
        return None
    texts = dict(_texts(rows[0]))
    return sorted(texts, key=lambda key: -texts[key])[:_KEYS]


def _texts(row: dict[str, Any], before: str = "", deep: int = 0) -> Iterator[tuple[str, int]]:
    """Yield the keys that lead to each text in an object, with dots between them, and how long it is."""
    for key, value in row.items():
        way = f"{before}{key}"
        if not _KEY.fullmatch(key):  # a shell or a terminal could take it for something else
            continue
        if isinstance(value, str):
            yield way, len(value)
        elif isinstance(value, dict) and deep < _DEEP:
            yield from _texts(value, f"{way}.", deep + 1)


def _is_table(name: str, head: str) -> bool:
    """Return whether the first rows have as many tabs each, or the file is called a table and they have separators."""
    rows = [row for row in head.split("\n", _ROWS)[:_ROWS] if row.strip()]
    tabs = {row.strip("\r\n ").count("\t") for row in rows}
    called = {suffix.lower() for suffix in PurePath(name).suffixes} & {".csv", ".tsv"}
    if called and rows:
        return any(sign in rows[0] for sign in ",;\t|")
    return len(rows) == _ROWS and len(tabs) == 1 and tabs != {0} and not any(row.startswith("\t") for row in rows)
