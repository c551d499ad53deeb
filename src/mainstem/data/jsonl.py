"""JSON Lines: one key of each line, the others skipped unread. May import `errors`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BadInput
from . import utf8
from .names import shown

_LONGEST_LINE = 1 << 26


def values(path: Path, stream: Iterator[bytes], field: str) -> Iterator[str]:
    """Yield the text under `field` of every line that is not blank. Raises `BadInput` with the number of a bad line."""
    row = msgspec.defstruct("Row", [("text", str)], rename={"text": field})
    decoder = msgspec.json.Decoder(row)
    for number, line in enumerate(_split(path, stream), 1):
        if not line.strip():
            continue
        try:
            text: str = decoder.decode(line).text  # type: ignore[attr-defined]
        except (msgspec.DecodeError, RecursionError) as error:
            raise _bad_line(path, number, line, field, error) from None
        yield text


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
        return BadInput(f"{where} is not JSON ({error}): mend it, or leave out data.field and data.format.")
    if not isinstance(found, dict):
        return BadInput(f"{where} is {_type(found)}, not an object: give one a line, such as {{{field!r}: ...}}.")
    if field in found:
        said = f"{where} has {_type(found[field])} in {field!r} where text is wanted"
        return BadInput(f"{said}: name another key by data.field.")
    keys = ", ".join(repr(key[:40]) for key in sorted(found)[:8]) or "none"
    return BadInput(f"{where} has no key {field!r} (its keys: {keys}): name one of them by data.field.")


def _type(value: Any) -> str:
    names = {"NoneType": "null", "bool": "a boolean", "int": "a number", "float": "a number", "list": "a list"}
    return names.get(type(value).__name__, "an object" if isinstance(value, dict) else "text")
