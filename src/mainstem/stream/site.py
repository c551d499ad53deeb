"""Where a sublayer stands in the model. May import nn."""

from __future__ import annotations

from dataclasses import dataclass

from ..nn import NormSpec


@dataclass(frozen=True)
class Site:
    """One sublayer's place: `block` and `sublayer` count from 0 over the whole model.

    `blocks` is L and `sublayers` N, the writes of the whole model; `kind` is attention or feedforward.
    """

    block: int
    sublayer: int
    kind: str
    first_in_block: bool
    last_in_block: bool
    blocks: int
    sublayers: int
    width: int
    norm: NormSpec = NormSpec()


def sites(kinds: tuple[str, ...], blocks: int, width: int, norm: NormSpec | None = None) -> list[Site]:
    """Return the sites of `blocks` equal blocks with the sublayers `kinds`, in order.

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
            width=width,
            norm=norm or NormSpec(),
        )
        for block in range(blocks)
        for place, kind in enumerate(kinds)
    ]
