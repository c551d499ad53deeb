"""A text that is read as a corpus reads it, for the tests of what is made from it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainstem import config
from mainstem.data.documents import Documents, Piece
from mainstem.data.reading import Text, read
from mainstem.data.sources import find


def documents(*paths: Path | str, **how: Any) -> Documents:
    """Return the documents of `paths`, before they are read."""
    section = config.Data(paths=[str(path) for path in paths], **how)
    return Documents(section, find(section))


@contextlib.contextmanager
def text(*paths: Path | str, **how: Any) -> Iterator[Text]:
    """Give the text of `paths`, kept in a folder of its own where it is long."""
    with tempfile.TemporaryDirectory() as folder, read(documents(*paths, **how), Path(folder)) as found:
        yield found


class Pieces:
    """Takes the pieces of documents that are read, file by file."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._begun = 0

    def begin(self) -> None:
        self._begun = len(self.pieces)

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)

    def undo(self) -> None:
        del self.pieces[self._begun :]
