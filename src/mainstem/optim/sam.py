"""Sharpness-aware minimization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..config.sections import Positive
from . import sharded
from .around import Around


@dataclass(frozen=True)
class SAM(Around):
    """e = rho * g / |g|, with the norm over all parameters of the optimizer that have a gradient.

    The step then follows the gradient of the loss at the worst point within rho of w, to first order, so that it looks
    for weights around which the loss is low as well. It costs a second gradient a step.

    Source:
        Foret et al., "Sharpness-aware minimization" (arXiv 2010.01412), equation 2.
        Read: code of the authors (google-research/sam).
        Differs: no.

    Example:
        >>> import torch
        >>> from mainstem import optim
        >>> w = torch.nn.Parameter(torch.tensor([2.0]))
        >>> optimizer = optim.SGD([w], lr=1.0, around=SAM(0.05))
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = w.square().sum() / 2
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure), w.data  # the gradient at 2.05
        (tensor(2., grad_fn=<DivBackward0>), tensor([-0.0500]))
    """

    rho: Positive = 0.05

    def away(self, params: Sequence[Tensor], grads: Sequence[Tensor]) -> list[Tensor]:
        share = self.share(sharded.norm(grads))
        here = sharded.local_all(grads)
        return [
            (w * share.to(w.device, w.dtype)).to(g.dtype) for g, w in zip(here, map(sharded.wide, here), strict=True)
        ]
