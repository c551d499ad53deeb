"""Stochastic depth as a value: whole branches are left out."""

from __future__ import annotations

from dataclasses import dataclass

from .bernoulli import Bernoulli


@dataclass(frozen=True)
class Branches(Bernoulli):
    """Leave out whole branches, for each sample by itself, without computing them: stochastic depth.

    Formula:
        x + m / (1 - rate) F(x), m ~ Bernoulli(1 - rate), one m for each sample and branch

    A branch that publishes values for later blocks is never left out. `noise.depth` of a configuration is this with a
    rate that grows linearly over the depth.

    Source:
        Huang et al. 2016 (1603.09382), section 3; equation 4 for the rate over the depth. The paper leaves out a block
        for a whole batch and scales it by 1 - rate at test time (equation 5); here each sample and branch has its own
        m, and kept branches are scaled in training.
        Read: quoted: equations 4 and 5.
        Differs: each sample and branch draws by itself, and what is kept is scaled in training.

    Example:
        >>> from mainstem.noise import Rate
        >>> Branches(Rate(0.2, depth="linear")).skips
        True
    """

    over: str | None = "B"
