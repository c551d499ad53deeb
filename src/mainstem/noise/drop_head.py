"""DropHead: whole heads of attention."""

from __future__ import annotations

from dataclasses import dataclass

from .bernoulli import Bernoulli, How


@dataclass(frozen=True)
class DropHead(Bernoulli):
    """Drop whole heads of attention, for each sample by itself, and scale what the others read.

    Formula:
        o_h <- m_h o_h H / sum_i m_i, m_h ~ Bernoulli(1 - rate) for each of H heads; where none is kept, all are 0

    The factor is the number of heads by that of the kept ones. `how` "scale" has 1 / (1 - rate) in its place, the same
    for every sample. The paper's schedule of the rate is not among ours.

    Source:
        Zhou et al. 2020 (2004.13342); the factor as in `drophead.py` of Kirill-Kravtsov/drophead-pytorch, which
        divides 0 by 0 where no head is kept.
        Read: abstract; the code that is named.
        Differs: no schedule of the rate.

    Example:
        >>> from mainstem.nn import AttentionSpec
        >>> AttentionSpec(8, 4).having("heads", DropHead(0.2)).build().heads_dropout.how
        'renormalise'
    """

    at: str = "attention.heads"
    over: str | None = "BH"
    how: How = "renormalise"
