"""The one time that a text is read: it is checked, hashed, and kept while its tokens are made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput
from . import store
from .documents import Documents, Piece
from .meter import Progress
from .names import shown
from .spool import Spool
from .survey import Hasher, Survey


class Text(NamedTuple):
    """What was read: what it comes to, and its pieces, as often as they are asked for."""

    found: Survey
    spool: Spool

    def pieces(self, stage: str = "", progress: Progress | None = None) -> Iterator[Piece]:
        """Yield every piece in order; ``progress(stage, done, total)`` is called meanwhile, in bytes."""
        return self.spool.pieces(stage, progress)


class _Both:
    """Gives what it takes to the hasher and to the spool."""

    def __init__(self, hasher: Hasher, spool: Spool) -> None:
        self._hasher, self._spool = hasher, spool

    def begin(self) -> None:
        self._hasher.begin()
        self._spool.begin()

    def add(self, piece: Piece) -> None:
        self._hasher.add(piece)
        self._spool.add(piece)

    def undo(self) -> None:
        self._hasher.undo()
        self._spool.undo()


@contextlib.contextmanager
def read(documents: Documents, cache: Path, progress: Progress | None = None) -> Iterator[Text]:
    """Read each file once, and give the text while the ``with`` lasts; a long one lies in a file in `cache` meanwhile.

    Raises:
        BadInput: where a file cannot be used or changes while it is read, where there is nothing in any of them, and
            where the cache cannot be written.
    """
    hasher = Hasher(documents.format)
    with store.writing(cache), contextlib.closing(Spool(cache)) as spool:
        documents.read(_Both(hasher, spool), "reading", progress)
        found = hasher.survey()
        if not len(found):
            raise _nothing(documents)
        yield Text(found, spool)


def _nothing(documents: Documents) -> BadInput:
    sources, empty = documents.sources, documents.empty
    if documents.format == "jsonl" and empty:
        lines = f"No line of {sources.origin} has text in {documents.section.field!r}"
        return BadInput(
            f"{lines} ({empty} {'is' if empty == 1 else 'are'} null or empty there): name another key by data.field."
        )
    if documents.left_out:
        without = f"(left out: {documents.left_out}; empty: {empty})"
        return BadInput(f"No file of {sources.origin} is text that can be read {without}: give a file that holds text.")
    if len(sources.paths) == 1:
        return BadInput(f"{shown(sources.paths[0])} is empty: give a file that holds text.")
    return BadInput(f"All {len(sources.paths)} files of {sources.origin} are empty: give files that hold text.")
