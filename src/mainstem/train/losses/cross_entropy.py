"""The cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass

from ..device import Forward
from .target_loss import TargetLoss


@dataclass(frozen=True)
class CrossEntropy(TargetLoss):
    """-ln p of each target, with the terms that every loss may have, as `ops.cross_entropy` has them.

    Formula:
        (1 - s) (-ln p_y) + s mean_v (-ln p_v) + c (ln Z)^2 - b H(p) + a mean |h| + d mean h^2 + e mean |x| + f mean x^2
        s `label_smoothing`, c `z_loss`, b `confidence`, Z the sum of exp logits, H the entropy; a `hidden_l1`,
        d `hidden_l2`, h the hidden units of all feed-forward sublayers there, as the output matrices read them;
        e `stream_l1`, f `stream_l2`, x the residual stream there, behind the last block and in front of the norm

    Source:
        Szegedy et al. 2015 (1512.00567), section 7, label smoothing; Chowdhery et al. 2022 (2204.02311), section 5,
        z-loss; Pereyra et al. 2017 (1701.06548), confidence penalty; Merity et al. 2017 (1708.02182), section 4.6, the
        squares of what is read behind dropout, there of the last layer of an LSTM, as `stream_l2` is of the last block.
        Read: quoted: the z-loss and the confidence penalty; code of the authors (salesforce/awd-lstm-lm) for squares of
        activations; nothing of the others.
        Differs: which activations are penalised.

    Example:
        >>> CrossEntropy().around(print) is print, CrossEntropy(z_loss=0.5).around(dict)()
        (True, {'z_loss': 0.5})
    """

    def around(self, forward: Forward, progress: float = 0.0) -> Forward:
        return self.with_terms(forward)
