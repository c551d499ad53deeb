"""Word dropout: a token is hidden wherever it stands in a sequence.

Shapes: B batch, T position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import counter
from .site import Noise
from .spec import NoiseSpec


@dataclass(frozen=True)
class WordDropout(NoiseSpec):
    """Drop a word of the vocabulary wherever it stands in a sequence, and scale the others.

    Formula:
        x_t = m_(token_t) E[token_t] / (1 - rate), m_v ~ Bernoulli(1 - rate), one m for each sample and word v

    A dropped word is hidden from n-grams beside the tokens too. A tied head does not see the mask.

    Source:
        Gal and Ghahramani 2016 (1512.05287), section 4.2, word types dropped at random throughout a sequence.
        Read: code of the authors (yaringal/BayesianRNN).
        Differs: no.

    Example:
        >>> import torch
        >>> from mainstem import nn, noise
        >>> embedding = noise.bind(nn.Embedding(10, 4, parts={"inputs": [WordDropout(0.5)]}))
        >>> with noise.counter(seed=0, step=0, samples=[0]):
        ...     (embedding(torch.tensor([[1, 2, 1, 2, 3]])) != 0).any(2).int()
        tensor([[1, 0, 1, 0, 0]], dtype=torch.int32)
    """

    over: ClassVar[str] = "B"
    how: ClassVar[str] = "scale"

    at: str = "embedding.inputs"

    def make(self, rate: float, context: int | None) -> Noise:
        return Words(rate)


class Words(Noise):
    """What a token's row is multiplied by [B, T]: 0, or 1 / (1 - rate), alike wherever it stands in a sequence.

    Example:
        >>> Words(0.5).eval()(torch.ones(1, 2), None)
        tensor([[1., 1.]])
    """

    stem = "words"
    wants_context = True

    def forward(self, shown_BT: Tensor, ctx: Any) -> Tensor:
        mask = self.mask(shown_BT.shape[0])
        if mask is None:
            return shown_BT
        kept_BT = counter.halves_at(mask.draw, mask.site, ctx.tokens) >= mask.threshold.to(shown_BT.device)
        return torch.where(kept_BT, shown_BT * mask.scale(shown_BT.device).to(shown_BT.dtype), 0.0)
