"""A second loss from inputs of which tokens are hidden.

Shapes: B batch, T position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ... import counter
from ...config.sections import NonNegative, Part
from ...counter import Draw
from ..device import Forward
from .target_loss import TargetLoss


@dataclass(frozen=True)
class MaskedInputs(TargetLoss):
    """The loss, and the loss again from the same tokens with some of them hidden: masked-input regularization.

    Formula:
        l(x) + coef l(m x), m_t = 0 with the probability r, else 1; r uniform in [0, rate] for each sample

    Every next token is predicted in both passes. The row of a hidden token is 0, so that no weight is added; the paper
    has a token of its own for it. Which are hidden is a function of the counter, as all masks of the second pass, which
    is view 1. A step costs twice as much.

    Args:
        coef: factor on what the second pass adds, at least 0.
        rate: the largest share of hidden tokens.

    Source:
        Xu et al. 2026 (2606.06888), section 3; coef and rate are those of the authors' code.
        Read: abstract; code of the authors.
        Differs: a hidden token is a row of zeros, and not a token of its own.

    Example:
        >>> MaskedInputs(coef=0.0).around(print) is print
        True
    """

    coef: NonNegative = 0.4
    rate: Part = 0.5

    def around(self, forward: Forward, progress: float = 0.0) -> Forward:
        plain = self.with_terms(forward)
        if not self.coef:
            return plain

        def twice(tokens_BT: Tensor, **given: Any) -> Tensor:
            first = plain(tokens_BT=tokens_BT, **given)
            with counter.other_view():
                hidden = plain(tokens_BT=tokens_BT, shown_BT=shown(tokens_BT, self.rate), **given)
            return first + self.coef * hidden

        return twice


def shown(tokens_BT: Tensor, rate: float) -> Tensor:
    """Return 0 for each token that is hidden and 1 for the others, float32 [B, T]: a function of the counter's scope.

    Example:
        >>> with counter.counter(seed=0, step=1, samples=range(3)):
        ...     shown(torch.zeros(3, 1000), 1.0).mean(1)
        tensor([0.9510, 0.7170, 0.7760])
    """
    scope = counter.current()
    rows, length = tokens_BT.shape
    if scope is None:
        seed = torch.randint(0, 2**62, (1,))
        draw = Draw(torch.cat([seed, torch.zeros(2, dtype=torch.int64)]), torch.arange(rows))
    else:
        draw = scope.draw
    words_BW = counter.words_of(draw, counter.site_id("mask", "inputs"), length + 1)
    uniform_BW = (words_BW.to(torch.float64) + 0.5) / 2**32
    return (uniform_BW[:, 1:] >= rate * uniform_BW[:, :1]).float().to(tokens_BT.device)
