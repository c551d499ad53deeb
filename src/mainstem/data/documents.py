"""A corpus as a sequence of documents, each in one or more pieces, without ever holding more than a few chunks.

A document is a file, a line of it, or the named field of one JSON line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from .. import config
from ..errors import BadInput
from . import formats, jsonl, left_out, stamps, utf8
from .meant import Meant, Noticed
from .meter import Meter, Progress
from .sources import Sources
from .streams import Consumed, Unreadable, chunks


class Piece(NamedTuple):
    """Consecutive bytes of one document, never empty; text is never cut inside a character."""

    data: bytes
    chars: int
    first: bool
    last: bool


class Taker(Protocol):
    """What a text is read into. Of a file that turns out to be no text, everything since `begin` is undone."""

    def begin(self) -> None: ...
    def add(self, piece: Piece) -> None: ...
    def undo(self) -> None: ...


class Dropped(NamedTuple):
    """A file that was left out when it was read: the reason, and its number among the sources."""

    reason: str
    number: int


@dataclass
class Documents:
    """The documents of `sources`, as `section` says they are to be read.

    After they have been read, `empty` says how many had no content, `meant` which ones may be meant otherwise
    than as text, and `dropped` which files of a folder cannot be read as text; `left_out` counts these too.
    """

    section: config.Data
    sources: Sources
    empty: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    meant: list[Meant] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.format = kind(self.section)

    @property
    def files(self) -> int:
        """Return how many files are read."""
        return len(self.sources.paths) - len(self.dropped)

    @property
    def left_out(self) -> left_out.LeftOut:
        """Return what was left out of the folders that were given."""
        found = self.sources.left_out.copy()
        for reason, number in self.dropped:
            found.add(reason, self.sources.paths[number])
        return found

    def doubts(self) -> list[str]:
        """Return a sentence on each format whose files were read as text."""
        return [each.sentence(self.sources.paths) for each in self.meant]

    def read(self, taker: Taker, stage: str = "", progress: Progress | None = None) -> None:
        """Give every piece to `taker`, in order. Raises `BadInput` for content that is not what `format` says."""
        self.empty, self.dropped, noticed = 0, [], Noticed()
        meter = Meter(stage, self.sources.num_bytes, progress)
        stamps.wait(self.sources.stamps)
        for number, (path, known) in enumerate(zip(self.sources.paths, self.sources.stamps, strict=True)):
            done, empty = meter.done, self.empty
            taker.begin()
            try:
                format = self._file(path, known, taker, meter)
                noticed.add(format, number, known.size if known is not None else 0, path in self.sources.named)
            except (Unreadable, utf8.NotText) as error:
                if path in self.sources.named:
                    raise
                taker.undo()
                reason = left_out.NOT_TEXT if isinstance(error, utf8.NotText) else left_out.UNREADABLE
                self.dropped.append(Dropped(reason, number))
                self.empty = empty
                if known is not None:
                    meter.to(done + known.size)
        self.meant = noticed.worth()

    def _file(self, path: Path, known: stamps.Stamp | None, taker: Taker, consumed: Consumed) -> formats.Format | None:
        """Give the pieces of a file to `taker`; return what it resembles, where it is read as text."""
        stream, found = chunks(path, consumed, known), None
        if self.format in ("text", "lines"):
            texts, found = self._texts(path, stream)
            pieces = self._lines(texts) if self.format == "lines" else self._marked(utf8.cut_between_words(texts))
        elif self.format == "bytes":
            pieces = self._marked((data, len(data)) for data in stream)
        else:
            pieces = self._fields(path, stream)
        for piece in pieces:
            taker.add(piece)
        return found

    def _texts(self, path: Path, stream: Iterator[bytes]) -> tuple[Iterator[str], formats.Format | None]:
        texts = utf8.text(path, stream)
        begin = next(texts, "")
        found = formats.resembles(path.name, begin[: formats.HEAD])
        if self.format == "lines" and found is not None and found.name != formats.JSON_LINES:
            found = None  # the user has said that its lines are text
        return itertools.chain([begin] if begin else [], texts), found

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

    def _lines(self, texts: Iterator[str]) -> Iterator[Piece]:
        """Make each line a document, without its line break."""
        waiting, first = "", True
        for text in texts:
            *ended, rest = text.split("\n")
            for line in ended:
                yield from self._line(f"{waiting}{line}".removesuffix("\r"), first)
                waiting, first = "", True
            waiting += rest
            # Of a line longer than what is read at a time something stays for its end, for which no CR counts.
            cut = utf8.last_gap(waiting.removesuffix("\r")) or len(waiting.removesuffix("\r")) - 1 if not ended else 0
            if cut > 0 and (waiting.strip() or not first):
                yield Piece(waiting[:cut].encode(), cut, first, False)
                waiting, first = waiting[cut:], False
        if waiting:
            yield from self._line(waiting, first)

    def _line(self, line: str, first: bool) -> Iterator[Piece]:
        if first and not line.strip():
            self.empty += 1
        else:
            yield Piece(line.encode(), len(line), first, True)

    def _fields(self, path: Path, stream: Iterator[bytes]) -> Iterator[Piece]:
        assert self.section.field is not None
        for text in jsonl.values(path, stream, self.section.field):
            if text:
                yield Piece(text.encode(), len(text), True, True)
            else:
                self.empty += 1


def kind(section: config.Data) -> str:
    """Return how the files of `section` are read: text, lines, jsonl or bytes; a field means JSON Lines."""
    if section.field is not None and section.format in ("lines", "bytes"):
        raise BadInput(
            f"data.field {section.field!r} is a key, which data.format {section.format} has not: leave one of them out."
        )
    if section.format == "jsonl" and section.field is None:
        raise BadInput("data.format jsonl needs to know which key of a line holds the text: give data.field.")
    return "jsonl" if section.field is not None else section.format
