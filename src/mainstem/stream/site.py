"""Where a sublayer stands in the model."""

from __future__ import annotations

from dataclasses import dataclass

from ..nn import NormSpec


@dataclass(frozen=True)
class Site:
    """The place of one sublayer in the model. A form asks it for whatever depends on depth.

    Args:
        block: which block, from 0.
        sublayer: which sublayer, from 0 over the whole model.
        kind: attention or feedforward.
        first_in_block, last_in_block: whether it is the first or the last of its block.
        blocks: L, how many blocks the model has.
        sublayers: N, how many sublayers the whole model has.
        write: which write to the stream, from 0 over the whole model; sublayers that share a residual write once.
        writes: how many writes the whole model makes.
        width: D.
        norm: the kind of norm that the model has.
    """

    block: int
    sublayer: int
    kind: str
    first_in_block: bool
    last_in_block: bool
    blocks: int
    sublayers: int
    write: int
    writes: int
    width: int
    norm: NormSpec = NormSpec()


def sites(kinds: tuple[str, ...], blocks: int, width: int, norm: NormSpec | None = None) -> list[Site]:
    """Return the sites of `blocks` equal blocks with the sublayers `kinds`, in order, each of which writes by itself.

    Example:
        >>> [site.sublayer for site in sites(("attention", "feedforward"), 2, 8)]
        [0, 1, 2, 3]
    """
    last = len(kinds) - 1
    return [
        Site(
            block=block,
            sublayer=block * len(kinds) + place,
            kind=kind,
            first_in_block=place == 0,
            last_in_block=place == last,
            blocks=blocks,
            sublayers=blocks * len(kinds),
            write=block * len(kinds) + place,
            writes=blocks * len(kinds),
            width=width,
            norm=norm or NormSpec(),
        )
        for block in range(blocks)
        for place, kind in enumerate(kinds)
    ]
