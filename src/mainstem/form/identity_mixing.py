"""Hyper-connections without mixing: streams that only sublayers connect.

Shapes: B batch, T position, S streams, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..stream import Connection, Site, Stream
from .base import Form
from .hyper import Streams, check
from .mhc import Constrained, norm_of


class Unmixed(Constrained):
    """Leaves each stream where it is.

    Formula:
        R = I
    """

    def __init__(self, norm: nn.Module, count: int, width: int, start: int) -> None:
        super().__init__(norm, count, width, start, torch.zeros(0))

    def mixing(self, logits_BTM: Tensor) -> Tensor:
        identity_SS = torch.eye(self.count, dtype=logits_BTM.dtype, device=logits_BTM.device)
        return identity_SS.expand(*logits_BTM.shape[:2], -1, -1)


@dataclass(frozen=True)
class IdentityMixing(Form):
    """Identity mixing: mHC with R = I, which asks how much of hyper-connections is the mixing of streams at all.

    Formula:
        h = sum_s p_s H_s; H'_s = H_s + q_s F(Norm h); at the end sum_s H_s, then the norm
        p in (0, 1) and q in (0, 2) depend on the token, as mHC has them

    Shapes:
        H [B, T, S, D]; p, q [B, T, S]

    Args:
        streams: S, from 1 to 1024.

    Raises:
        BadInput: where `streams` is out of its range.

    Source:
        Xie et al. 2025 (2512.24880), equations 7 to 9, without the mixing.
        Read: paper.
        Differs: R = I.

    Example:
        >>> from mainstem import form
        >>> form.parse("identity_mixing")
        IdentityMixing(streams=4)
    """

    streams: int = 4

    def __post_init__(self) -> None:
        check("identity_mixing", self.streams)
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Streams(self.streams, sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Unmixed(norm_of(site, self.streams), self.streams, site.width, site.sublayer % self.streams)
