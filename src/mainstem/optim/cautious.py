"""Decay of those weights alone whose update goes towards 0 as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .before import Before
from .direction import Group


@dataclass(frozen=True)
class Cautious(Before):
    """Cautious weight decay: w <- (1 - lr * weight_decay) w where u * w >= 0, and w as it is elsewhere.

    u is the direction of the step that follows, w <- w - lr u: a weight that it makes larger is not made smaller in the
    same step. It takes the place of `Decay`, with the group's own two numbers.

    Source:
        Chen et al., "Cautious weight decay" (arXiv 2510.12402), equation 2.
        Read: abstract; code of others (karpathy/nanochat).
        Differs: no.

    Example:
        >>> w = torch.ones(2)
        >>> Cautious()([w], [torch.tensor([1.0, -1.0])], [{"lr": 0.1, "weight_decay": 1.0}])
        >>> w
        tensor([0.9000, 1.0000])
    """

    def __call__(self, params: list[Tensor], updates: list[Tensor], groups: Sequence[Group]) -> None:
        for w, u, group in zip(params, updates, groups, strict=True):
            # By the sign of u: a product of two small numbers is 0 in half precision, whatever their signs.
            if rate := float(group["lr"]) * group["weight_decay"]:
                w.sub_(torch.where(u.sign() * w >= 0, w, torch.zeros_like(w)), alpha=rate)
