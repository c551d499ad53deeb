"""The next few tokens at once, of which the next one alone is left in the end.

Shapes: B batch, T position.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor

from ... import ops
from ...config.sections import Part
from ...model.seen import Seen
from ..device import Forward
from .target_loss import TargetLoss


@dataclass(frozen=True)
class MultiToken(TargetLoss):
    """Each position is to predict the next few tokens; over the training the later ones count less and less.

    Formula:
        l + sum_{k = 2..K} s^(k - 1) a_k (-ln p(token_(t + k))), a_k = 1 - min(max(K P - (K - k), 0), 1)
        l the loss of the next token with its terms, p what the model predicts at t, P the progress from 0 to 1

    The training has K equal parts. In the first of them the weight of the last token falls to 0, in the next that of
    the one before it, and in the last part l stands alone. One distribution is compared with all K tokens, so that no
    weight is added; the head is computed once more for each token beyond the next. The last positions of a window have
    fewer tokens before them. A held-out score is of the next token, whatever K is.

    Args:
        tokens: K.
        share: s.

    Source:
        modded-nanogpt (2025), `mtp_weights_schedule` of its `train_gpt.py`, with K = 3 and s = 1/2. Gloeckle et al.
        2024 (2404.19737) predict each token by a head of its own, and do not anneal.
        Read: code of modded-nanogpt.
        Differs: no.

    Example:
        >>> loss = MultiToken()
        >>> [loss.ahead(progress) for progress in (0.0, 0.5, 0.9)]
        [[0.5, 0.25], [0.25], []]
    """

    tokens: Annotated[int, Meta(ge=2, le=16)] = 3
    share: Part = 0.5

    def ahead(self, progress: float) -> list[float]:
        """Return the weights of the tokens behind the next one that count at `progress`."""
        count = self.tokens
        falling = (min(max(count * progress - (count - k), 0.0), 1.0) for k in range(2, count + 1))
        return [self.share**number * (1.0 - fallen) for number, fallen in enumerate(falling, 1) if fallen < 1.0]

    def around(self, forward: Forward, progress: float = 0.0) -> Forward:
        weights = self.ahead(progress)
        if not weights:
            return self.with_terms(forward)
        # As a tensor, so that a model is compiled once for all steps in which as many tokens count.
        factors = torch.tensor(weights, dtype=torch.float64)
        return self.with_terms(forward, objective=functools.partial(with_later, factors=factors))


def with_later(seen: Seen, factors: Tensor) -> Tensor:
    """Return the cross-entropy, and `factors` times those of the tokens behind the next one, without other terms."""
    found, length = seen.cross_entropy(), seen.targets_BT.shape[1]
    plain = ops.Terms(soft_cap=seen.terms.soft_cap)
    for number, factor in enumerate(factors.unbind(), 1):
        # The last positions have no token so far behind them, which -100 says.
        later_BT = F.pad(seen.targets_BT[:, number:], (0, min(number, length)), value=-100)
        found = found + factor.to(found.dtype) * seen.cross_entropy(later_BT, plain)
    return found
