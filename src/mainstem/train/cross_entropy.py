"""The cross-entropy, and the two terms that it may have. May import `config` and its siblings."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass

from ..config.sections import NonNegative, Rate
from .device import Forward
from .target_loss import TargetLoss


@dataclass(frozen=True)
class CrossEntropy(TargetLoss):
    """-ln p of each target, as `ops.cross_entropy` has it.

    Args:
        label_smoothing: share of the target that goes to all tokens alike.
        z_loss: factor on (ln sum exp logits)^2.

    Example:
        >>> CrossEntropy().around(print) is print, CrossEntropy(z_loss=0.5).around(dict)()
        (True, {'z_loss': 0.5})
    """

    label_smoothing: Rate = 0.0
    z_loss: NonNegative = 0.0

    def around(self, forward: Forward) -> Forward:
        terms = {name: value for name, value in asdict(self).items() if value}
        return functools.partial(forward, **terms) if terms else forward
