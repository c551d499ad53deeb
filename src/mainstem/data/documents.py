"""A corpus as a sequence of documents, each in one or more pieces, without ever holding more than a few chunks.

A document is a file, or the named field of one JSON line. May import `config`, `errors` and its siblings.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .. import config
from ..errors import BadInput
from . import heap, jsonl, left_out, utf8
from .sources import Sources
from .streams import Consumed, chunks

_RELEASE = 1 << 26
"""Bytes of files between two times that freed memory is given back."""

Progress = Callable[[str, int, int], None]
"""Called with a stage, and how much of how much is done in it."""


class Piece(NamedTuple):
    """Consecutive bytes of one document, never empty; text is never cut inside a character."""

    data: bytes
    chars: int
    first: bool
    last: bool


@dataclass
class Documents:
    """The documents of `sources`, as `section` says they are to be read; may be gone through any number of times.

    After a pass, `empty` says how many had no content, and `left_out` also counts the files that were found in a folder
    and cannot be read as text. The first pass decides which these are.
    """

    section: config.Data
    sources: Sources
    empty: int = 0

    def __post_init__(self) -> None:
        self.format = kind(self.section)
        self.left_out = self.sources.left_out.copy()
        self._fits: dict[Path, bool] = {}

    @property
    def files(self) -> int:
        """Return how many files are read; each counts before the first pass has looked into it."""
        return sum(self._fits.get(path, True) for path in self.sources.paths)

    def pieces(self, stage: str = "", progress: Progress | None = None) -> Iterator[Piece]:
        """Yield every piece in order. Raises `BadInput` for content that is not what `format` says."""
        self.empty = 0
        done = released = 0

        def consumed(count: int) -> None:
            nonlocal done, released
            done += count
            if done - released >= _RELEASE:
                released = done
                heap.release()
            if progress is not None:
                progress(stage, min(done, self.sources.num_bytes), self.sources.num_bytes)

        for path in self.sources.paths:
            stream = self._stream(path, consumed)
            if stream is None:
                continue
            if self.format == "bytes":
                yield from self._marked((data, len(data)) for data in stream)
            elif self.format == "text":
                yield from self._marked(utf8.cut_at_lines(utf8.text(path, stream)))
            else:
                yield from self._lines(path, stream)

    def _stream(self, path: Path, consumed: Consumed) -> Iterator[bytes] | None:
        """Return the bytes of `path`, or None where it is left out. It is looked into before any of it is used."""
        if path in self.sources.named or self._fits.get(path):
            return chunks(path, consumed)
        if path not in self._fits:
            try:
                stream = self._looked_into(path, consumed)
            except BadInput as error:
                reason = left_out.NOT_TEXT if isinstance(error, utf8.NotText) else left_out.UNREADABLE
                self.left_out.add(reason, path)
                self._fits[path] = False
            else:
                self._fits[path] = True
                return stream
        with contextlib.suppress(OSError):
            consumed(path.stat().st_size)
        return None

    def _looked_into(self, path: Path, consumed: Consumed) -> Iterator[bytes]:
        """Return the bytes of `path` once all of them are known to be readable; a long file is read twice."""
        took: list[int] = []
        stream = chunks(path, took.append)
        start = list(itertools.islice(stream, 2))
        whole = itertools.chain(start, stream)
        for _ in whole if self.format == "bytes" else utf8.text(path, whole):
            pass
        if len(start) > 1:
            return chunks(path, consumed)
        consumed(sum(took))
        return iter(start)

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

    def _lines(self, path: Path, stream: Iterator[bytes]) -> Iterator[Piece]:
        assert self.section.field is not None
        for text in jsonl.values(path, stream, self.section.field):
            if text:
                yield Piece(text.encode(), len(text), True, True)
            else:
                self.empty += 1


def kind(section: config.Data) -> str:
    """Return how the files of `section` are read: text, jsonl or bytes; a field means JSON Lines."""
    if section.field is not None and section.format == "bytes":
        raise BadInput(
            f"data.field {section.field!r} is a key, which data.format bytes has not: leave one of them out."
        )
    if section.format == "jsonl" and section.field is None:
        raise BadInput("data.format jsonl needs to know which key of a line holds the text: give data.field.")
    return "jsonl" if section.field is not None else section.format
