"""Decay by how many passes over the text weights remember."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..errors import BadInput
from .before import Before
from .direction import Group
from .independent import Independent


@dataclass(frozen=True)
class Passes(Before):
    """Decay by a time-scale: w <- (1 - s / (P * steps)) w with s = lr / peak, P passes and `steps` steps of a pass.

    AdamW's weights are an average of its updates over about 1 / (lr * decay) steps; here that number is given, in
    passes over the text, so that one number suits another learning rate, batch or text. In a configuration `decay` is P
    for this kind: 4 lets a weight without gradient fall to exp(-1) of itself in four passes at the peak. A group's
    `weight_decay` is 1 / (P * steps) then, and 0 stays no decay.

    Source:
        Wang and Aitchison, "How to set AdamW's weight decay as you scale model and dataset size" (arXiv 2405.13698),
        the time-scale in epochs.
        Read: abstract.
        Differs: the rate's peak has no part in it.

    Example:
        >>> Passes().given(decay=4.0, steps=25)
        0.01
    """

    def given(self, decay: float, steps: float) -> float:
        if not decay:
            return 0.0
        found = 1.0 / (decay * max(steps, 1.0))
        if found > 1.0:
            raise BadInput(
                f"optim.decay {decay:g} is less than a step of passes over the text, and nothing would be left of a "
                "weight: give passes, as in --optim.decay 4."
            )
        return found

    def __call__(self, params: list[Tensor], updates: list[Tensor], groups: Sequence[Group]) -> None:
        Independent()(params, updates, groups)
