"""Pieces of text on the side of the corpus to which a split puts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .documents import Piece
from .split import Split

TRAIN, HELD, SEALED = 0, 1, 2
"""The sides of a corpus; what is sealed is held out from training and from every pass of a run."""


def sides(pieces: Iterable[Piece], chosen: Split) -> Iterator[tuple[int, Piece]]:
    """Yield every piece with its side, `TRAIN`, `HELD` or `SEALED`; the piece in which a cut falls comes as two."""
    outer = _Cutter(chosen)
    inner = None if chosen.sealed is None else _Cutter(chosen.sealed)
    for piece in pieces:
        for held, part in outer.take(piece):
            if inner is None or held != chosen.of_held:
                yield int(held), part
            else:
                yield from ((SEALED if sealed else int(held), smaller) for sealed, smaller in inner.take(part))


class _Cutter:
    """Says of each piece, in order, on which side of one cut it is."""

    def __init__(self, chosen: Split) -> None:
        self._chosen, self._number, self._before = chosen, 0, 0

    def take(self, piece: Piece) -> Iterator[tuple[bool, Piece]]:
        number, cut = self._number, self._chosen.cut
        self._number += piece.last
        if cut is not None and number == cut[0]:
            before, self._before = self._before, self._before + piece.chars
            yield from _divided(piece, cut[1] - before)
        else:
            yield bool(self._chosen.held_N[number]), piece


def _divided(piece: Piece, chars: int) -> Iterator[tuple[bool, Piece]]:
    """Cut one piece of the cut document after `chars` characters, counted from its own beginning."""
    if chars >= piece.chars:
        yield False, piece._replace(last=False)
        return
    if chars <= 0:
        yield True, piece._replace(first=chars == 0)
        return
    # As many bytes as characters: raw bytes, or plain ASCII.
    at = chars if piece.chars == len(piece.data) else len(piece.data.decode()[:chars].encode())
    yield False, Piece(piece.data[:at], chars, piece.first, False)
    yield True, Piece(piece.data[at:], piece.chars - chars, True, piece.last)
