"""The loss of a language model, in float32.

Shapes: B sequences, T positions, V tokens of the vocabulary.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cross_entropy(logits_BTV: Tensor, targets_BT: Tensor, weight_BT: Tensor | None = None) -> Tensor:
    """Return ``sum_bt weight_bt * -ln softmax(logits_bt)[target_bt]`` in nats, a float32 scalar.

    A sum, not a mean: what it is divided by (the tokens of the whole batch) is known only where the batch is split.

    Example:
        >>> import torch
        >>> cross_entropy(torch.tensor([[[2.0, 1.0, 0.0]]]), torch.tensor([[0]]))
        tensor(0.4076)
    """
    if weight_BT is None:
        return functional.cross_entropy(logits_BTV.float().flatten(0, 1), targets_BT.flatten(), reduction="sum")
    return weighted(cross_entropy_BT(logits_BTV, targets_BT), weight_BT).sum()


def cross_entropy_BT(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    """Return each position's cross-entropy in nats, float32 [B, T]."""
    flat = functional.cross_entropy(logits_BTV.float().flatten(0, 1), targets_BT.flatten(), reduction="none")
    return flat.view_as(targets_BT)


def weighted(loss_BT: Tensor, weight_BT: Tensor) -> Tensor:
    """Return each position's loss times its weight; 0 without a weight, whatever the loss is there.

    Example:
        >>> import torch
        >>> weighted(torch.tensor([[2.0, float("inf")]]), torch.tensor([[0.5, 0.0]]))
        tensor([[1., 0.]])
    """
    return (loss_BT * weight_BT).masked_fill(weight_BT == 0, 0.0)
