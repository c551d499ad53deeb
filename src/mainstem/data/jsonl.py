"""JSON Lines: one key of each line, the others skipped unread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ..errors import BadInput
from . import utf8
from .names import shown

_LONGEST_LINE = 1 << 26

_DEEPEST = 16
"""Dots of a field that may be a way; with more it is a key."""


def values(path: Path, stream: Iterator[bytes], field: str) -> Iterator[str]:
    """Yield the text under `field` of every line that is not blank; null is empty text, and a mark is left out.

    `field` is a key, or the keys that lead to one, with dots between them. Raises `BadInput` with the number of a line
    that has no text there.
    """
    read = _reader(field)
    for number, line in enumerate(_split(path, stream), 1):
        if not line.strip():
            continue
        try:
            text = read(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _bad_line(path, number, line, field, error) from None
        yield text.removeprefix(utf8.MARK)


def _reader(field: str) -> Callable[[bytes], str]:
    """Return what finds the text in a line: under the key `field` itself, or else where its dots lead."""
    first, dot, rest = field.partition(".")
    if not dot or field.count(".") > _DEEPEST:
        only = msgspec.json.Decoder(msgspec.defstruct("Row", [("text", str | None)], rename={"text": field}))
        return lambda line: only.decode(line).text or ""  # type: ignore[attr-defined]
    fields = [("text", str | None | UnsetType, UNSET), ("inside", msgspec.Raw | UnsetType, UNSET)]
    row = msgspec.json.Decoder(msgspec.defstruct("Row", fields, rename={"text": field, "inside": first}))
    deeper = _reader(rest)

    def read(line: bytes) -> str:
        found: Any = row.decode(line)
        if found.text is not UNSET:
            return found.text or ""
        if found.inside is UNSET:
            raise msgspec.ValidationError("the key is missing")
        return "" if bytes(found.inside).strip() == b"null" else deeper(found.inside)

    return read


def _split(path: Path, stream: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of `stream`, without their ends."""
    parts: list[bytes] = []
    size = 0
    for text in utf8.text(path, stream):
        head, *lines = text.encode().split(b"\n")
        parts.append(head)
        size += len(head)
        if lines:
            yield b"".join(parts)
            yield from lines[:-1]
            parts, size = [lines[-1]], len(lines[-1])
        if size > _LONGEST_LINE:
            raise BadInput(
                f"{shown(path)} has a line of more than {_LONGEST_LINE >> 20} MiB: JSON Lines has one small object a "
                "line; for other files leave out data.field and data.format."
            )
    if size:
        yield b"".join(parts)


def _bad_line(path: Path, number: int, line: bytes, field: str, error: Exception) -> BadInput:
    where = f"Line {number} of {shown(path)}"
    try:
        found: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return BadInput(
            f"{where} is not JSON ({error}): mend it, or read it as text, by data.format text without data.field."
        )
    if not isinstance(found, dict):
        example = msgspec.json.encode({field: "..."}).decode()
        return BadInput(f"{where} is {_type(found)}, not an object: give one a line, such as {example}.")
    way = _way(found, field)
    inside: Any = found
    for key in way:
        if not isinstance(inside, dict):
            break
        if key not in inside:
            keys = ", ".join(repr(name[:40]) for name in sorted(inside)[:8]) or "none"
            there = "its keys" if inside is found else f"the keys before {key!r}"
            return BadInput(f"{where} has no key {field!r} ({there}: {keys}): name one that it has by data.field.")
        inside = inside[key]
    said = f"{where} has {_type(inside)} in {field!r} where text is wanted"
    if isinstance(inside, dict) and inside:
        return BadInput(f"{said}: name a key of it, such as --data.field {field}.{min(inside)[:40]}.")
    return BadInput(f"{said}: name another key by data.field.")


def _way(found: Any, field: str) -> list[str]:
    """Return the keys that lead to `field`, as a reader takes them: at each step the whole rest, where it is a key."""
    first, dot, rest = field.partition(".")
    if not dot or not isinstance(found, dict) or field in found:
        return [field]
    return [first, *_way(found.get(first), rest)]


def _type(value: Any) -> str:
    names = {"NoneType": "null", "bool": "a boolean", "int": "a number", "float": "a number", "list": "a list"}
    return names.get(type(value).__name__, "an object" if isinstance(value, dict) else "text")
