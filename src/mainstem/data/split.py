"""Which part of a corpus is held out: whole documents by a hash of their content, or the tail. May import its siblings.

Equal documents are always on the same side. Shapes: N documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..errors import BadInput
from .documents import Piece
from .survey import Survey

SHARE, CAP = 0.1, 2_000_000
"""Where nothing is asked for, a tenth of the bytes is held out, and no more than this: what 2 MB say about a model
would be hardly more certain with more, and a pass over all of them takes time."""

_ENOUGH = 20
"""Distinct documents from which on a choice among them comes near the share that was asked for."""


class Split(NamedTuple):
    """`held_N` says which documents are held out; of document `cut[0]`, what follows its first `cut[1]` characters."""

    held_N: NDArray[np.bool_]
    cut: tuple[int, int] | None
    name: str
    reason: str


def split(found: Survey, section: config.Data) -> Split:
    """Return how the corpus is cut. Raises `BadInput` where one of the two sides would be empty."""
    wanted = share(section, found.num_bytes)
    _, group_N = np.unique(found.digests_N, return_inverse=True)
    distinct = int(group_N.max()) + 1
    if section.split == "document" or (section.split == "auto" and distinct >= _ENOUGH):
        chosen = _by_document(found, group_N, distinct, wanted)
        held = float(found.bytes_N[chosen.held_N].sum()) / found.num_bytes
        if section.split == "document" or 0.5 <= held / wanted <= 2:
            return chosen
        return _tail(found, group_N, wanted, f"choosing whole documents would hold out {held:.0%}")
    few = f"{_count(distinct, 'distinct document')}, too few to choose among"
    why = "asked for" if section.split == "tail" else few
    return _tail(found, group_N, wanted, why)


def share(section: config.Data, num_bytes: int) -> float:
    """Return the share of the bytes that is to be held out.

    >>> share(config.Data(), 10_000_000), share(config.Data(), 40_000_000), share(config.Data(held_out=0.1), 40_000_000)
    (0.1, 0.05, 0.1)
    """
    return section.held_out if section.held_out is not None else min(SHARE, CAP / max(1, num_bytes))


def sides(pieces: Iterable[Piece], chosen: Split) -> Iterator[tuple[bool, Piece]]:
    """Yield every piece with whether it is held out; the piece in which the cut falls comes as two."""
    number = 0
    before = 0
    for piece in pieces:
        if chosen.cut is not None and number == chosen.cut[0]:
            yield from _divided(piece, chosen.cut[1] - before)
            before += piece.chars
        else:
            yield bool(chosen.held_N[number]), piece
        number += piece.last


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


def _by_document(found: Survey, group_N: NDArray[np.int64], distinct: int, share: float) -> Split:
    """Hold out the documents whose hash, as a number in [0, 1), is below the share.

    Whether a document is held out then depends on nothing but its content. Few or uneven documents may miss the share
    by far; then the threshold is moved to where they come nearest.
    """
    if distinct < 2:
        raise BadInput(
            f"The corpus has {_count(distinct, 'distinct document')}, so none can be held out: use --data.split tail."
        )
    place_N = found.digests_N.astype(np.float64) / 2.0**64
    held_N = place_N < share
    part = float(found.bytes_N[held_N].sum()) / found.num_bytes
    reason = "each by the hash of its content"
    if not 0.5 * share <= part <= 2 * share or held_N.all():
        order = np.argsort(place_N, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(group_N[order])), len(order) - 1)[:-1]
        sums = np.cumsum(found.bytes_N[order])[ends] / found.num_bytes
        last = ends[int(np.argmin(np.abs(sums - share)))]
        held_N = np.zeros(len(order), bool)
        held_N[order[: last + 1]] = True
        reason = "those of the smallest hashes, as many as come nearest the share"
    return Split(held_N, None, "document", f"{_count(distinct, 'distinct document')}, {reason}")


def _tail(found: Survey, group_N: NDArray[np.int64], share: float, why: str) -> Split:
    """Hold out the last characters; documents that also stand before the cut are training text throughout."""
    ends_N = np.cumsum(found.chars_N)
    place = int(int(ends_N[-1]) * (1 - share))
    if not 0 < place < int(ends_N[-1]):
        raise BadInput(
            f"The corpus has {_count(int(ends_N[-1]), 'character')}, too few to train on and to hold out {share:g} of: "
            "give more text."
        )
    first = int(np.searchsorted(ends_N, place, side="right"))
    inside = place - int(ends_N[first] - found.chars_N[first])
    held_N = np.arange(len(ends_N)) >= first
    cut: tuple[int, int] | None = (first, inside) if inside else None
    if cut is not None and np.count_nonzero(group_N == group_N[first]) > 1:
        cut, held_N[first] = None, False
    before = group_N[: first + (inside > 0)]
    copies_N = held_N & np.isin(group_N, before)
    if cut is not None:
        copies_N[first] = False
    held_N = held_N & ~copies_N
    if not held_N.any():
        raise BadInput(
            "Every document of the tail also stands in the training text: remove the duplicates, or use --data.split "
            "document."
        )
    if copies_N.any():
        why += f"; {_count(int(copies_N.sum()), 'copy')} of training documents left in the training text"
    return Split(held_N, cut, "tail", why)


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"
