"""What the losses of single tokens show: by position, and on both sides of the split.

Shapes: B sequences, T positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def by_position(loss_BT: Tensor, weight_BT: Tensor | None = None) -> list[float]:
    """Return the mean loss at each position of the window, over what has weight; nan where nothing has.

    Example:
        >>> by_position(torch.tensor([[2.0, 1.0], [4.0, 3.0]]))
        [3.0, 2.0]
    """
    weight = torch.ones_like(loss_BT) if weight_BT is None else weight_BT
    return ((loss_BT.detach() * weight).sum(0).double() / weight.sum(0)).tolist()


@torch.no_grad()
def gap(
    model: nn.Module,
    train: Iterable[tuple[Tensor, Tensor]],
    held_out: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> tuple[float, float, float]:
    """Return the mean loss on `train`, on `held_out`, and held-out less train, both in eval mode.

    Batches are (inputs, targets), and `loss` is a mean over a batch; batches weigh by their size. Whatever mode each
    module was in, it is in afterwards.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        means = []
        for batches in (train, held_out):
            found = [(float(loss(model(x), y)), len(x)) for x, y in batches]
            means.append(sum(value * size for value, size in found) / sum(size for _, size in found))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return means[0], means[1], means[1] - means[0]
