"""How many weights the blocks of a model have, and how wide its stream is, counted on blocks that have no memory."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from ..model import Settings, block
from ..model.block import places
from ..model.settings import norm_of
from ..nn.unmade import unmade
from ..stream import Stream, leaves

_LOOKED, _MOST = 8, 256
"""How many blocks are made beside the last one, and of how many blocks a larger model is taken to be a multiple."""

_WIDTH, _LARGE = 2, 1 << 24
"""The width of the stream that is opened, and how many weights it may have for that."""

ENDLESS = 1 << 80
"""What stands for a number of weights that torch cannot count."""


class Counted(NamedTuple):
    """What a model has in its blocks and in its stream.

    Args:
        weights: learned numbers of all blocks and of the stream.
        streams: how many arrays of the width the stream is as it opens.
    """

    weights: int
    streams: int


def count(settings: Settings) -> Counted:
    """Return what is in the blocks and in the stream of a model of these `settings`; no more than there is.

    Some of many blocks are made, the last one among them, and each stands for those up to the next: what a form holds
    for each block stays or grows with depth.

    Example:
        >>> count(Settings(vocab=9, layers=2, width=8, heads=2, context=4, residual="hyper"))
        Counted(weights=1920, streams=4)
    """
    settings = replace(settings, positions="none")  # rotary has tables, and no weights
    form, specs, norm = settings.form, settings.specs(), norm_of(settings.norm, settings.eps)
    layers, step = min(settings.layers, _MOST), len(specs)
    looked = sorted({layers - 1, *(number * layers // _LOOKED for number in range(_LOOKED))})
    with unmade():
        try:
            found = places(form, specs, layers, settings.width, norm)
            sizes = [_weights(block(form, found[at * step : (at + 1) * step], settings.specs())) for at in looked]
            behind = _weights(form.stream(found))
        except (RuntimeError, OverflowError):  # more than a tensor can have, on whatever device
            return Counted(ENDLESS, 1)
    ends = [*looked[1:], layers]
    blocks = sum(size * (end - at) for size, at, end in zip(sizes, looked, ends, strict=True))
    small = form.stream(places(form, specs, layers, _WIDTH, norm)) if behind < _LARGE else None
    return Counted(blocks * settings.layers // layers + behind, 1 if small is None else _streams(small))


@torch.no_grad()
def _streams(stream: Stream) -> int:
    """Return how many arrays of the width `stream` opens; it is called, which without memory would take torch 2 s."""
    main = stream.open(torch.zeros(1, 1, _WIDTH)).main
    return sum({id(tensor): tensor.numel() for tensor in leaves(main)}.values()) // _WIDTH


def _weights(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
