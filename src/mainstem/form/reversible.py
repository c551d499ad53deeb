"""Reversible residuals: activations are computed back in place of stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..stream import Connection, Couple, Site, Stream
from ..stream import Reversible as ReversibleStream
from .base import Form


@dataclass(frozen=True)
class Reversible(Form):
    """Reversible residuals: activations are computed back in backward, so that their memory does not grow with depth.

    Formula:
        a' = a + F(Norm b), b' = b + G(Norm a')
        Both start as the embedding; at the end stands the norm of their mean.

    Source:
        Gomez et al. 2017 (1707.04585), equation 6; Kitaev et al. 2020 (2001.04451), section 3.
        Read: quoted: the coupling; code of google/trax.
        Differs: both streams start as the embedding, and their mean is read.

    Example:
        >>> from mainstem import form
        >>> form.parse("reversible")
        Reversible()
    """

    def stream(self, sites: Sequence[Site]) -> Stream:
        return ReversibleStream(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Couple()
