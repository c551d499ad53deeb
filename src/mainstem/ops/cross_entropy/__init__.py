"""The head's product and the loss in one, some rows of logits at a time.

Shapes: N tokens, D width, V words of the vocabulary.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ...errors import BadInput
from ..dispatch import IMPLEMENTATIONS
from ..gradient import transformed
from . import chunked, reference
from .agreement import agreeing, from_logits
from .reference import Terms, capped
from .taught import Taught, apart

__all__ = ["Taught", "Terms", "agreeing", "apart", "capped", "cross_entropy", "from_logits"]

WORTH = 1 << 20
"""Logits from which on they are made in parts; fewer stay in the caches, and the plain path has less to do."""


def cross_entropy(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    confidence: float = 0.0,
    soft_cap: float = 0.0,
    chunk: int | None = None,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum", "none"] = "mean",
    impl: str = "auto",
) -> Tensor:
    """Return the cross-entropy of ``softmax(x weight^T)`` at `targets`, in nats, without ever holding all logits.

    l_n = ln Z_n - (1 - s) z_(n, t_n) - s mean_v z_nv + c (ln Z_n)^2 - b H_n with z = x weight^T, Z_n = sum_v exp z_nv
    and the entropy H_n = ln Z_n - sum_v p_nv z_nv of p_n = softmax(z_n); s is `label_smoothing`, c is `z_loss`, b is
    `confidence`. Where `soft_cap` is above 0, z is soft_cap tanh(x weight^T / soft_cap). "mean" divides by the number
    of targets that are not `ignore_index` (0 / 0 is NaN). Products are of x's dtype, all else and the result float32
    (float64 by the reference alone).

    Args:
        x: [N, D];
        weight: [V, D], of x's dtype, or wider (its gradient is then too);
        targets: int64 [N].
        chunk: how many tokens' logits are held at once; by default as many as are some eight million numbers.
        impl: "auto", "reference" (whole logits), or "cpu" (in parts, by PyTorch's products: on any device, float32 and
            bfloat16; not the same bits on every number of threads). Under a transform of torch.func "auto" is
            "reference". For "mean" and "sum" the gradients are made with the loss, so that logits are made once; for
            "none" backward makes them again. Second derivatives go through the reference.

    Raises:
        BadInput: where shapes or dtypes do not fit.

    Source:
        Szegedy et al. 2015 (1512.00567), section 7, label smoothing; Chowdhery et al. 2022 (2204.02311), section 5,
        z-loss; Pereyra et al. 2017 (1701.06548), confidence penalty; Gemma Team 2024 (2408.00118), section 2, bound of
        the logits.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> ops.cross_entropy(torch.eye(2), torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 0]))
        tensor(0.7531)
    """
    terms = Terms(label_smoothing, z_loss, confidence, soft_cap)
    _check(x, weight, targets, chunk, reduction, impl)
    _check_terms(terms)
    kept = (targets != ignore_index).sum()
    if _chosen(impl, x, weight) == "reference":
        loss_N = reference.cross_entropy(x, weight, targets, terms, ignore_index)
        return loss_N if reduction == "none" else loss_N.sum() if reduction == "sum" else loss_N.sum() / kept
    scale_N = torch.ones(x.shape[0], device=x.device)
    if reduction == "mean":
        scale_N = scale_N / kept
    rows = chunk or chunked.rows_together(weight.shape[0])
    ahead = reduction != "none" and torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    total, loss_N, *_ = chunked.CrossEntropy.apply(x, weight, targets, scale_N, list(terms), ignore_index, rows, ahead)
    if reduction == "none":
        return loss_N
    return total if reduction == "sum" or x.shape[0] else total / kept


def _chosen(impl: str, x: Tensor, weight: Tensor) -> str:
    takes = x.dtype in (torch.float32, torch.bfloat16)
    if impl == "cpu" and not takes:
        raise BadInput(f"impl 'cpu' of cross_entropy takes float32 and bfloat16, not {x.dtype}: use reference.")
    if impl != "auto":
        return impl
    if transformed():  # which can look into whole logits, and into no sum that is made with its gradients
        return "reference"
    return "cpu" if takes and x.shape[0] * weight.shape[0] >= WORTH else "reference"


def _check(x: Tensor, weight: Tensor, targets: Tensor, chunk: int | None, reduction: str, impl: str) -> None:
    if x.dim() != 2 or weight.dim() != 2 or x.shape[1] != weight.shape[1] or targets.shape != x.shape[:1]:
        raise BadInput(
            f"x {list(x.shape)}, weight {list(weight.shape)} and targets {list(targets.shape)} do not fit: give "
            "[N, D], [V, D] and [N]."
        )
    if (
        not x.is_floating_point()
        or torch.promote_types(x.dtype, weight.dtype) != weight.dtype
        or targets.dtype != torch.int64
    ):
        raise BadInput(
            f"x is {x.dtype}, weight {weight.dtype} and targets {targets.dtype}: give a weight of x's floating "
            "dtype or a wider one, and targets of int64."
        )
    if chunk is not None and chunk < 1:
        raise BadInput(f"chunk {chunk} is no number of tokens: give at least 1, or None.")
    if reduction not in ("mean", "sum", "none"):
        raise BadInput(f"reduction {reduction!r} is unknown: choose mean, sum or none.")
    if impl not in IMPLEMENTATIONS or impl == "triton":
        raise BadInput(f"impl {impl!r} is not there for cross_entropy: choose auto, cpu or reference.")


def _check_terms(terms: Terms) -> None:
    smoothing, *others = terms
    if not 0.0 <= smoothing < 1.0 or not all(0.0 <= other < math.inf for other in others):
        raise BadInput(
            f"label_smoothing {smoothing} must be in [0, 1), and z_loss {terms.z_loss}, confidence {terms.confidence} "
            f"and soft_cap {terms.soft_cap} at least 0 and finite."
        )
