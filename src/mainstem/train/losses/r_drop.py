"""R-Drop: two passes with other masks are to predict the same."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from torch import nn

from ...config.sections import NonNegative
from ...model.seen import Seen
from ..device import Forward
from .target_loss import TargetLoss, needs_noise


@dataclass(frozen=True)
class RDrop(TargetLoss):
    """Each sample passes twice, with other masks: the mean of both losses, and how far they are apart.

    Formula:
        (l(p) + l(p')) / 2 + coef (KL(p | p') + KL(p' | p)) / 2

    p and p' are predictions under the views 0 and 1 of the counter. Gradients go through both. A step costs twice as
    much. Without noise the passes are the same, so a model without any is refused.

    Args:
        coef: factor on what the second pass adds, at least 0.

    Source:
        Liang et al. 2021 (2106.14448), where the two losses are added, so that its alpha is twice this `coef`: with the
        mean, a loss without the distance is that of one pass. The authors' code for images adds them too, and both
        divergences whole (`vit_src/models/modeling.py` of dropreg/R-Drop).
        Read: quoted: the equation; code of the authors.
        Differs: the mean of the two losses in place of their sum.

    Example:
        >>> RDrop(coef=0.5).around(dict)()["objective"].keywords
        {'coef': 0.5}
    """

    coef: NonNegative = 1.0

    def around(self, forward: Forward, progress: float = 0.0) -> Forward:
        return self.with_terms(forward, objective=functools.partial(Seen.agreeing, coef=self.coef))

    def refuse(self, model: nn.Module) -> None:
        needs_noise(model, "r_drop")
