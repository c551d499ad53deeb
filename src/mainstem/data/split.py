"""Which part of a corpus is held out: whole documents by a hash of their content, or the tail.

Equal documents are always on the same side. Shapes: N documents.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import config
from ..errors import BadInput
from ..wording import several
from .survey import Survey

SHARE, CAP = 0.1, 2_000_000
"""Where nothing is asked for, a tenth of the bytes is held out, and no more than this: what 2 MB say about a model
would be hardly more certain with more, and a pass over all of them takes time."""

FILES = "files"
"""The name of a split that files of their own make."""

_ENOUGH = 20
"""Distinct documents from which on a choice among them comes near the share that was asked for."""


class Split(NamedTuple):
    """`held_N` says which documents are held out; of document `cut[0]`, what follows its first `cut[1]` characters.

    `sealed` cuts the held-out side, or else the training side where files of their own are held out, once more.
    """

    held_N: NDArray[np.bool_]
    cut: tuple[int, int] | None
    name: str
    reason: str
    sealed: Split | None = None

    @property
    def of_held(self) -> bool:
        """Whether the sealed part is cut from what is held out."""
        return self.name != FILES


def split(found: Survey, section: config.Data, held_out_files: int = 0) -> Split:
    """Return how the corpus is cut; its last `held_out_files` files are held out whole.

    Raises:
        BadInput: where one of the sides would be empty.
    """
    sealed = section.sealed or 0.0
    if held_out_files:
        chosen, part = _files(found, held_out_files), sealed
    else:
        wanted = share(section, found.num_bytes)
        if wanted + sealed >= 1:
            raise BadInput(
                f"data.sealed {sealed:g} and a share of {wanted:g} that is held out leave nothing to train on: give a "
                "smaller one."
            )
        both = wanted + sealed
        chosen, part = _cut(found, section.split, both, both), sealed / both
    if not sealed:
        return chosen
    rest = _of_side(found, chosen, chosen.of_held)
    way = "tail" if section.split == "tail" else "auto"
    if chosen.name == "document" and len(np.unique(rest.digests_N)) > 1:
        way = "document"  # a document that nothing cuts stays whole
    # What is held out has small hashes only: by the share of the whole text the same are sealed when the text grows.
    below = sealed if chosen.name == "document" else part
    try:
        return chosen._replace(sealed=_cut(rest, way, part, below))
    except BadInput:  # which speaks of the whole text
        raise _unsealable(rest, chosen.of_held) from None


def num_trained(found: Survey, chosen: Split) -> int:
    """Return how many characters the training part has."""
    if chosen.sealed is not None and not chosen.of_held:
        return num_trained(_of_side(found, chosen, False), chosen.sealed)
    before = chosen.cut[1] if chosen.cut is not None else 0
    return int(found.chars_N[~chosen.held_N].sum()) + before


def _files(found: Survey, held_out_files: int) -> Split:
    assert found.begins_F is not None
    first = int(found.begins_F[-held_out_files])
    if not 0 < first < len(found):
        where = "data.held_out_paths" if first else "data.paths"
        raise BadInput(f"No file of {where} holds text: give one that does.")
    return Split(np.arange(len(found)) >= first, None, FILES, "files of their own")


def _of_side(found: Survey, chosen: Split, held: bool) -> Survey:
    """Return what `found` would be of one side alone."""
    which_N = chosen.held_N == held
    chars_N, bytes_N = found.chars_N[which_N].copy(), found.bytes_N[which_N].copy()
    if chosen.cut is not None and held:  # the first document of the side begins at the cut
        left = chars_N[0] - chosen.cut[1]
        bytes_N[0] = max(1, int(bytes_N[0]) * int(left) // int(chars_N[0]))  # beyond 64 bits for a document of 4 GB
        chars_N[0] = left
    return Survey(bytes_N, chars_N, found.digests_N[which_N], found.hash)


def _cut(found: Survey, way: str, wanted: float, below: float) -> Split:
    """Return how a share `wanted` of the bytes is cut off: the tail, or documents with a hash `below` that."""
    _, group_N = np.unique(found.digests_N, return_inverse=True)
    distinct = int(group_N.max()) + 1
    if way == "document" or (way == "auto" and distinct >= _ENOUGH):
        chosen = _by_document(found, group_N, distinct, wanted, below)
        held = float(found.bytes_N[chosen.held_N].sum()) / found.num_bytes
        if way == "document" or 0.5 <= held / wanted <= 2:
            return chosen
        return _tail(found, group_N, wanted, f"choosing whole documents would hold out {held:.0%}")
    few = f"{several(distinct, 'distinct document', 'd')}, too few to choose among"
    why = "asked for" if way == "tail" else few
    return _tail(found, group_N, wanted, why)


def share(section: config.Data, num_bytes: int) -> float:
    """Return the share of the bytes that is to be held out.

    >>> share(config.Data(), 10_000_000), share(config.Data(), 40_000_000), share(config.Data(held_out=0.1), 40_000_000)
    (0.1, 0.05, 0.1)
    """
    return section.held_out if section.held_out is not None else min(SHARE, CAP / max(1, num_bytes))


def _by_document(found: Survey, group_N: NDArray[np.int64], distinct: int, share: float, below: float) -> Split:
    """Cut off the documents whose hash, as a number in [0, 1), is `below` that, where they are about a `share` of all.

    Whether a document is cut off then depends on nothing but its content. Few or uneven documents may miss the share
    by far; then the threshold is moved to where they come nearest.
    """
    if distinct < 2:
        if len(found) > 1:
            raise _the_same(found)
        raise BadInput("The corpus has 1 document, so none can be held out whole: use --data.split tail.")
    place_N = found.digests_N.astype(np.float64) / 2.0**64
    held_N = place_N < below
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
    return Split(held_N, None, "document", f"{several(distinct, 'distinct document', 'd')}, {reason}")


def _tail(found: Survey, group_N: NDArray[np.int64], share: float, why: str) -> Split:
    """Hold out the last characters; documents that also stand before the cut are training text throughout."""
    ends_N = np.cumsum(found.chars_N)
    place = int(int(ends_N[-1]) * (1 - share))
    if not 0 < place < int(ends_N[-1]):
        raise BadInput(
            f"The corpus has {several(int(ends_N[-1]), 'character', 'd')}, too few to train on and to hold out "
            f"{share:g} of: give more text."
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
    if not held_N.any() and len(np.unique(group_N)) == 1:
        raise _the_same(found)
    if not held_N.any():
        raise BadInput(
            "Every document of the tail also stands in the training text: remove the duplicates, or use --data.split "
            "document."
        )
    if copies_N.any():
        why += f"; {several(int(copies_N.sum()), 'copy', 'd')} of training documents left in the training text"
    return Split(held_N, cut, "tail", why)


def _the_same(found: Survey) -> BadInput:
    """Return what is said of copies of one document, of which no way of cutting can hold one out."""
    return BadInput(
        f"All {len(found)} documents of the text are the same, so none can be held out: give that document once."
    )


def _unsealable(rest: Survey, of_held: bool) -> BadInput:
    """Return what is said of a part of a text, held out or trained on, of which no part can be sealed."""
    size = f"{several(len(rest), 'document', 'd')} and {several(int(rest.chars_N.sum()), 'character', 'd')}"
    return BadInput(
        f"The {'held-out' if of_held else 'training'} part has {size}, of which nothing can be sealed: give more text, "
        "or leave data.sealed out."
    )
