"""What is asked of activations during a forward pass: how large they are at each position.

Shapes: B batch, T position, F hidden width; b rows of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..ops.precision import widened


class Gathered:
    """What the parts of a tally share. It is no list, as FSDP hands copies of lists and dataclasses on to a block."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []


@dataclass(frozen=True)
class Tally:
    """Gathers l1 mean_F |h| + l2 mean_F h^2 of activations h at each position, from one layer after the other.

    Args:
        l1, l2: the factors.
        found: what was gathered, [B, T] each; parts share it.
        rows: which of `batch` samples are given; all if None.
        batch: B.
        kept: whose numbers count, bool [B]; of all if None.

    Example:
        >>> tally = Tally(1.0, 0.5)
        >>> tally.add(torch.tensor([[[1.0, -3.0]]]))
        >>> tally.total(torch.zeros(1, 1)).tolist()
        [[4.5]]
    """

    l1: float
    l2: float
    found: Gathered = field(default_factory=Gathered)
    rows: Tensor | None = None
    batch: int = 0
    kept: Tensor | None = None

    def of_rows(self, index: Tensor, batch: int) -> Tally:
        """Return what gathers from the samples `index` alone, of `batch`."""
        return replace(self, rows=index, batch=batch)

    def of_kept(self, kept_B: Tensor) -> Tally:
        """Return what leaves out the samples that are not kept."""
        return replace(self, kept=kept_B)

    def add(self, h_BTF: Tensor) -> None:
        """Gather from `h_BTF`."""
        wide = widened(h_BTF)
        value_BT = self.l1 * wide.abs().mean(-1) + self.l2 * wide.square().mean(-1)
        if self.kept is not None:
            value_BT = torch.where(self.kept.view(-1, 1), value_BT, torch.zeros_like(value_BT))
        if self.rows is not None:
            value_BT = value_BT.new_zeros(self.batch, value_BT.shape[1]).index_copy(0, self.rows, value_BT)
        self.found.values.append(value_BT)

    def total(self, like: Tensor) -> Tensor:
        """Return the sum of what was gathered, of the shape and dtype of `like` [B, T]."""
        total = torch.zeros_like(like)
        for value_BT in self.found.values:
            total = total + value_BT.to(like.dtype)
        return total


def gathering(terms: dict[str, Any], name: str, parts: int) -> Tally | None:
    """Take the factors `name`_l1 and `name`_l2 out of `terms`; return what gathers by them, or None where both are 0.

    The factors are those of a mean over so many `parts`.

    Example:
        >>> terms = {"hidden_l1": 0.5, "z_loss": 0.1}
        >>> gathering(terms, "hidden", 2).l1, gathering(terms, "hidden", 2), terms
        (0.25, None, {'z_loss': 0.1})
    """
    l1, l2 = (terms.pop(f"{name}_{norm}", 0.0) / parts for norm in ("l1", "l2"))
    return Tally(l1, l2) if l1 or l2 else None
