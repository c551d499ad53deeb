"""What the losses of single tokens show: by position, and on both sides of the split.

Shapes: B sequences, T positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ...errors import BadInput
from ...modes import evaluating
from ..cross_entropy import weighted


def by_position(loss_BT: Tensor, weight_BT: Tensor | None = None) -> list[float]:
    """Return the mean loss at each position of the window, over what has weight; nan where nothing has.

    Example:
        >>> by_position(torch.tensor([[2.0, 1.0], [4.0, 3.0]]))
        [3.0, 2.0]
    """
    loss = loss_BT.detach().cpu().double()
    weight = torch.ones_like(loss) if weight_BT is None else weight_BT.cpu().double()
    return (weighted(loss, weight).sum(0) / weight.sum(0)).tolist()


@torch.no_grad()
def gap(
    model: nn.Module,
    train: Iterable[tuple[Tensor, Tensor]],
    held_out: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> tuple[float, float, float]:
    """Return the mean loss on `train`, on `held_out`, and held-out less train, both in eval mode.

    Whatever mode each module was in, it is in afterwards.

    Args:
        model: anybody's module.
        train: batches of inputs and targets, which weigh by their size.
        held_out: batches of the other side.
        loss: of outputs and targets, the mean over a batch.

    Raises:
        BadInput: where one side has no sample.
    """
    means = []
    with evaluating(model):
        for side, batches in (("train", train), ("held_out", held_out)):
            found = [(float(loss(model(x), y)), len(x)) for x, y in batches if len(x)]
            if not found:
                raise BadInput(
                    f"The batches of {side} have no sample: give at least one, and no iterator that was gone through."
                )
            means.append(sum(value * size for value, size in found) / sum(size for _, size in found))
    return means[0], means[1], means[1] - means[0]
