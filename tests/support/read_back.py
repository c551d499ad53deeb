"""What is read of files, as documents and as the pieces that they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.texts import Pieces, documents

from mainstem.data.documents import Documents, Piece
from mainstem.data.meter import Progress


def taken(*paths: Path | str, progress: Progress | None = None, **more: Any) -> tuple[Documents, list[Piece]]:
    """Return the documents of `paths`, read, and their pieces."""
    found, taker = documents(*paths, **more), Pieces()
    found.read(taker, "reading", progress)
    return found, taker.pieces


def read(path: Path | str, **more: Any) -> list[str | bytes]:
    """Return each document of `path`, checking the marks of its pieces on the way."""
    found: list[bytes] = []
    ended = True
    documents, pieces = taken(path, **more)
    for piece in pieces:
        assert piece.data
        assert piece.first == ended
        if piece.first:
            found.append(b"")
        found[-1] += piece.data
        assert piece.chars == len(piece.data if documents.format == "bytes" else piece.data.decode())
        ended = piece.last
    assert ended
    return [data if documents.format == "bytes" else data.decode() for data in found]
