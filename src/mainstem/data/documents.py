"""A corpus as a sequence of documents, each in one or more pieces, without ever holding more than a few chunks.

A document is a file, or the named field of one JSON line. May import `config`, `errors` and its siblings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import config
from ..errors import BadInput
from .names import shown
from .sources import Sources
from .streams import chunks

Progress = Callable[[str, int, int], None]
"""Called with a stage, and how much of how much is done in it."""

_LONGEST_LINE = 1 << 26


class Piece(NamedTuple):
    """Consecutive bytes of one document, never empty; text is never cut inside a character."""

    data: bytes
    chars: int
    first: bool
    last: bool


@dataclass
class Documents:
    """The documents of `sources`, as `section` says they are to be read; may be gone through any number of times.

    After a pass, `empty` and `skipped` tell how many had no content, and how many a lenient reading left out.
    """

    section: config.Data
    sources: Sources
    empty: int = 0
    skipped: int = 0

    def __post_init__(self) -> None:
        self.format = kind(self.section)

    def pieces(self, stage: str = "", progress: Progress | None = None) -> Iterator[Piece]:
        """Yield every piece in order. Raises `BadInput` for content that is not what `format` says."""
        self.empty = self.skipped = 0
        done = 0

        def consumed(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(stage, min(done, self.sources.num_bytes), self.sources.num_bytes)

        for path in self.sources.paths:
            stream = chunks(path, consumed)
            if self.format == "bytes":
                yield from self._marked((data, len(data)) for data in stream)
            elif self.format == "text":
                yield from self._file(path, stream)
            else:
                yield from self._lines(path, stream)

    def _marked(self, parts: Iterator[tuple[bytes, int]]) -> Iterator[Piece]:
        """Mark the first and the last piece of one document."""
        before: tuple[bytes, int] | None = None
        first = True
        for part in parts:
            if before is not None:
                yield Piece(*before, first, False)
                first = False
            before = part
        if before is None:
            self.empty += 1
        else:
            yield Piece(*before, first, True)

    def _file(self, path: Path, stream: Iterator[bytes]) -> Iterator[Piece]:
        if not self.sources.lenient:
            yield from self._marked(_cut_at_lines(_text(path, stream)))
            return
        try:
            whole = list(_text(path, stream))  # sources of a library: small
        except BadInput:
            self.skipped += 1
        else:
            yield from self._marked(_cut_at_lines(iter(whole)))

    def _lines(self, path: Path, stream: Iterator[bytes]) -> Iterator[Piece]:
        assert self.section.field is not None
        row = msgspec.defstruct("Row", [("text", str)], rename={"text": self.section.field})
        decoder = msgspec.json.Decoder(row)
        for number, line in enumerate(_split(path, stream), 1):
            if not line.strip():
                continue
            try:
                text = decoder.decode(line).text  # type: ignore[attr-defined]
                data = text.encode()
            except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
                raise _bad_line(path, number, line, self.section.field, error) from None
            if data:
                yield Piece(data, len(text), True, True)
            else:
                self.empty += 1


def kind(section: config.Data) -> str:
    """Return how the files of `section` are read: text, jsonl or bytes; a field means JSON Lines."""
    if section.field is not None and section.format == "bytes":
        raise BadInput(f"data.field {section.field!r} names a key, but data.format bytes has none: leave one of them out.")
    if section.format == "jsonl" and section.field is None:
        raise BadInput("data.format jsonl needs to know which key of a line holds the text: give data.field.")
    return "jsonl" if section.field is not None else section.format


def _text(path: Path, stream: Iterator[bytes]) -> Iterator[str]:
    """Yield the characters of `stream`, or raise `BadInput` with the offset of the first byte that is not text."""
    rest, offset = b"", 0
    for chunk in stream:
        if (nul := chunk.find(b"\0")) >= 0:
            raise BadInput(
                f"{shown(path)} holds a NUL byte at offset {offset + len(rest) + nul}, so it is binary and not UTF-8 text: "
                "use --data.format bytes, or leave the file out."
            )
        data = rest + chunk
        try:
            text, rest = data.decode(), b""
        except UnicodeDecodeError as error:
            # An incomplete character at the end of a chunk is completed by the next one.
            if error.end < len(data) or error.start < len(data) - 3 or error.reason != "unexpected end of data":
                raise _not_utf8(path, offset + error.start, data[error.start]) from None
            text, rest = data[: error.start].decode(), data[error.start :]
        offset += len(data) - len(rest)
        if text:
            yield text
    if rest:
        raise _not_utf8(path, offset, rest[0])


def _not_utf8(path: Path, offset: int, byte: int) -> BadInput:
    return BadInput(
        f"{shown(path)} is not UTF-8: the byte at offset {offset} is 0x{byte:02x}. Convert it (iconv -t UTF-8), use "
        "--data.format bytes, or leave the file out."
    )


def _cut_at_lines(texts: Iterator[str]) -> Iterator[tuple[bytes, int]]:
    """Regroup so that pieces end before a line break that follows a visible character, where there is one.

    No rule that finds words joins across that place, so a tokenizer gives what it would for the whole document.
    """
    rest = ""
    for text in texts:
        text = rest + text
        cut = _before_break(text) or len(text)
        yield text[:cut].encode(), cut
        rest = text[cut:]
    if rest:
        yield rest.encode(), len(rest)


def _before_break(text: str) -> int:
    cut = len(text)
    for _ in range(1000):
        cut = text.rfind("\n", 0, cut)
        if cut <= 0:
            break
        if not text[cut - 1].isspace():
            return cut
    return 0


def _split(path: Path, stream: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of `stream`, without their ends."""
    parts: list[bytes] = []
    size = 0
    for text in _text(path, stream):
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
    if isinstance(error, UnicodeEncodeError):
        return BadInput(f"{where} holds half a surrogate pair in {field!r}, which is no text: mend or remove the line.")
    try:
        found: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return BadInput(f"{where} is not JSON ({error}): give one object a line, or leave out data.field and data.format.")
    if not isinstance(found, dict):
        return BadInput(f"{where} is {_type(found)}, not an object: give one object a line, such as {{{field!r}: ...}}.")
    if field in found:
        return BadInput(f"{where} has {_type(found[field])} in {field!r} where text is wanted: name another key by data.field.")
    keys = ", ".join(repr(key[:40]) for key in sorted(found)[:8]) or "none"
    return BadInput(f"{where} has no key {field!r} (its keys: {keys}): name one of them by data.field.")


def _type(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "text")
