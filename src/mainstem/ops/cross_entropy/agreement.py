"""The loss of two passes over the same tokens that are to agree, from features or from logits.

Shapes: N tokens, C of them together, D width, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..precision import exact
from .chunked import rows_together
from .reference import Terms, capped, of_logits


def agreeing(
    x: Tensor,
    other: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    coef: float,
    terms: Terms = Terms(),  # noqa: B008 - an immutable value
    chunk: int | None = None,
    ignore_index: int = -100,
) -> Tensor:
    """Return the mean of two passes' losses and how far their predictions are apart, for each token [N].

    (l(z) + l(z')) / 2 + coef (KL(p | p') + KL(p' | p)) / 2 with z = x weight^T, z' = other weight^T, p = softmax(z),
    p' = softmax(z'), and l as `ops.cross_entropy` has it. Logits are made a chunk at a time, and again in backward.

    Args:
        x: [N, D];
        other: [N, D], of the second pass;
        weight: [V, D];
        targets: int64 [N].
        coef: how much the distance counts.
        terms: what l has beside the cross-entropy, and the bound of the logits.
        chunk: how many tokens' logits are held at once.

    Source:
        Liang et al. 2021 (2106.14448), with the mean of the two losses, which are added there.

    Example:
        >>> two, even = torch.tensor([[1.0986123, 0.0]]), torch.zeros(1, 2)
        >>> both = agreeing(two, even, torch.eye(2), torch.tensor([0]), coef=1.0)
        >>> round(both.item() - (0.28768207 + 0.69314718) / 2, 6)
        0.137327
    """
    rows = chunk or max(16, rows_together(weight.shape[0]) // 4)
    held = torch.is_grad_enabled() and any(each.requires_grad for each in (x, other, weight)) and x.shape[0] > rows
    parts = []
    for first in range(0, max(1, x.shape[0]), rows):
        part = slice(first, first + rows)
        given = (x[part], other[part], weight, targets[part], coef, terms, ignore_index)
        # Without randomness inside, there is no state of a generator to be put back.
        kept: Any = checkpoint(_chunk, *given, use_reentrant=False, preserve_rng_state=False) if held else None
        parts.append(_chunk(*given) if kept is None else kept)
    return torch.cat(parts)


def from_logits(views: Sequence[Tensor], targets_N: Tensor, coef: float, terms: Terms, ignored: int = -100) -> Tensor:
    """Return the loss of each token [N] from the logits [N, V] of one pass, or of two that are to agree."""
    losses = [of_logits(each, targets_N, terms, ignored) for each in views]
    if len(losses) == 1:
        return losses[0]
    log_p, log_q = (torch.log_softmax(each, 1) for each in views)
    apart = ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(1)
    return (losses[0] + losses[1] + coef * apart.where(targets_N != ignored, torch.zeros_like(apart))) / 2


@exact
def _chunk(
    x: Tensor, other: Tensor, weight: Tensor, targets: Tensor, coef: float, terms: Terms, ignored: int
) -> Tensor:
    logits = (torch.nn.functional.linear(each, weight.to(each.dtype)) for each in (x, other))
    wide = torch.promote_types(x.dtype, torch.float32)
    return from_logits([capped(each.to(wide), terms.soft_cap) for each in logits], targets, coef, terms, ignored)
