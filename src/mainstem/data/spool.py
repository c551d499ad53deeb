"""The pieces of a text that is read once, kept to be gone through again.

They lie in memory while they are few, then in a file without a name, which is gone with the process.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from .documents import Piece
from .meter import Meter, Progress
from .streams import CHUNK

_IN_MEMORY = 1 << 25
"""Bytes of text that are held in memory."""

_MOST_PIECES = 1 << 16
_HEADER = np.dtype([("pieces", "<u4"), ("bytes", "<u4")])
_PIECE = np.dtype([("bytes", "<u4"), ("chars", "<u4"), ("first", "?"), ("last", "?")])


class Spool:
    """Takes pieces, forgets those of a file that turns out to be no text, and gives the others as often as asked.

    Where the text is longer than about 32 MiB it goes into `folder`, which is made if it is not there. Raises `OSError`
    where it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.num_bytes = 0
        self._folder = folder
        self._file: IO[bytes] = io.BytesIO()
        self._in_memory = True
        self._waiting: list[Piece] = []
        self._size = 0
        self._before = 0  # how many of those that wait are of earlier files
        self._place: int | None = None  # where this file begins, once a part of it is written
        self._bytes_before = 0

    def begin(self) -> None:
        """Begin a file: what is added from now on is what `undo` takes back."""
        self._before, self._place, self._bytes_before = len(self._waiting), None, self.num_bytes

    def add(self, piece: Piece) -> None:
        """Take the next piece."""
        self._waiting.append(piece)
        self._size += len(piece.data)
        self.num_bytes += len(piece.data)
        if self._size >= CHUNK or len(self._waiting) >= _MOST_PIECES:
            self._flush()

    def undo(self) -> None:
        """Forget everything since `begin`."""
        if self._place is not None:
            self._file.seek(self._place)
            self._file.truncate()
        del self._waiting[self._before :]
        self._size = sum(len(piece.data) for piece in self._waiting)
        self.num_bytes = self._bytes_before

    def pieces(self, stage: str = "", progress: Progress | None = None) -> Iterator[Piece]:
        """Yield every piece in order."""
        self._flush()
        meter = Meter(stage, self.num_bytes, progress)
        self._file.seek(0)
        while header := self._file.read(_HEADER.itemsize):
            ((count, size),) = np.frombuffer(header, _HEADER)
            table = np.frombuffer(self._file.read(int(count) * _PIECE.itemsize), _PIECE).tolist()
            data = self._file.read(int(size))
            meter(len(data))
            start = 0
            for length, chars, first, last in table:
                yield Piece(data[start : start + length], chars, first, last)
                start += length

    def close(self) -> None:
        """Give up the memory or the room on the disk."""
        self._file.close()

    def _flush(self) -> None:
        self._write(self._waiting[: self._before])
        if self._place is None:
            self._place = self._file.tell()
        self._write(self._waiting[self._before :])
        self._waiting, self._size, self._before = [], 0, 0

    def _write(self, pieces: list[Piece]) -> None:
        if not pieces:
            return
        data = b"".join(piece.data for piece in pieces)
        table = np.array([(len(piece.data), *piece[1:]) for piece in pieces], _PIECE)
        if self._in_memory and self._file.tell() + len(data) > _IN_MEMORY:
            self._to_disk()
        self._file.write(np.array((len(pieces), len(data)), _HEADER).tobytes())
        self._file.write(table.tobytes())
        self._file.write(data)

    def _to_disk(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        on_disk = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with the spool
        before, self._file, self._in_memory = self._file, on_disk, False
        before.seek(0)
        while part := before.read(CHUNK):
            self._file.write(part)
        before.close()
