"""mHC-lite: hyper-connections mixed by a mean of permutations.

Shapes: B batch, T position, S streams, D width, M = S! permutations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..stream import Connection, Site, Stream
from .base import Form
from .hyper import Streams
from .mhc import Constrained, norm_of


class Permuted(Constrained):
    """Mixes by a mean of all permutations of the streams, weighted by a softmax.

    Formula:
        R = sum_p softmax(logits)_p P_p; the identity has the logit 0 at the start, all others -8
    """

    def __init__(self, norm: nn.Module, count: int, width: int, start: int) -> None:
        orders = list(permutations(range(count)))
        logits_M = torch.full((len(orders),), -8.0)
        logits_M[0] = 0.0
        super().__init__(norm, count, width, start, logits_M)
        self.orders = orders

    def mixing(self, logits_BTM: Tensor) -> Tensor:
        orders = torch.tensor(self.orders, device=logits_BTM.device)
        matrices_MSS = nn.functional.one_hot(orders, self.count).to(logits_BTM.dtype)
        return torch.einsum("btm,msr->btsr", logits_BTM.softmax(dim=-1), matrices_MSS)


@dataclass(frozen=True)
class MHCLite(Form):
    """mHC-lite: as mHC, but the mixing is a mean of permutations, which keeps the sum of the streams exactly.

    Formula:
        h = sum_s p_s H_s; H'_s = q_s F(Norm h) + sum_t R_st H_t; at the end sum_s H_s, then the norm
        R = sum_p softmax(.)_p P_p over the S! permutations P_p: every doubly stochastic matrix is such a mean

    It needs no iterations, and S! logits for each token, so that there may be up to 4 streams.

    Shapes:
        H [B, T, S, D]; p, q [B, T, S]; R [B, T, S, S]

    Args:
        streams: S, from 1 to 4.

    Raises:
        BadInput: where `streams` is none of these.

    Source:
        Yang and Gao 2026 (2601.05732), and `hyper_conn/mhc_lite.py` of their code, FFTYYY/mhc-lite, for the starts.
        Read: abstract; code of the authors.
        Differs: no.

    Example:
        >>> from mainstem import form
        >>> form.parse("mhc_lite")
        MHCLite(streams=4)
    """

    streams: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.streams <= 4:
            raise BadInput(
                f"mhc_lite has S! logits for S streams, and takes from 1 to 4, not {self.streams}: use mhc for more."
            )
        super().__post_init__()

    def stream(self, sites: Sequence[Site]) -> Stream:
        return Streams(self.streams, sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        return Permuted(norm_of(site, self.streams), self.streams, site.width, site.sublayer % self.streams)
