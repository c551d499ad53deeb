"""Where the samples lie in what a foreign module drops. May import ops, counter and errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import ops
from ..counter import WHOLE_BATCH
from ..errors import BadInput

Draws = Callable[[Tensor | None], ops.Mask]
"""Returns what is drawn from, of the samples of the scope (None) or of others."""


class Place:
    """What is known of the samples in what one module drops.

    Args:
        name: the module's.
        batch_dim: the axis of the samples; None where nobody knows.
        whole: whether there is no axis of the samples.
        is_said: whether the axis is what somebody has said, and not what the module's type tells.
        guessed: what was guessed, in words by the module's name; one mapping for a whole model.
    """

    def __init__(self, name: str, batch_dim: int | None, whole: bool, is_said: bool, guessed: dict[str, str]) -> None:
        self.name, self.batch_dim, self.whole, self.is_said, self.guessed = name, batch_dim, whole, is_said, guessed
        self.each = 1
        """How many rows of a sample are known to lie side by side, such as the heads of attention."""

    def dropped(self, x: Tensor, draws: Draws, count: int, axis: int | None, context: int | None) -> Tensor:
        """Return dropout of `x`, whose `count` samples lie along `axis`; None: as `take_over` says.

        Raises:
            BadInput: it cannot be told where they lie.
        """
        if self.whole:
            return whole(x, draws)
        if x.dim() == 0:
            return self.dropped(x[None], draws, count, 0, None)[0]
        at = 0 if axis is None or (x.dim() < 3 and not self.is_said) else axis
        there = x.shape[at] if at < x.dim() else -1
        if there == count:
            return ops.dropout(x, draws(None), batch_dim=at, context=context)
        if there == 1:  # it has no samples: all share the draw
            return ops.dropout(x, draws(torch.tensor([WHOLE_BATCH])), batch_dim=at)
        may_be_second = axis is None and x.dim() > 2 and x.shape[1] == count
        if at == 0 and count and there % count == 0 and not may_be_second:
            self._guess(x, there // count, count)
            return ops.dropout(x.unflatten(0, (count, -1)), draws(None)).view(x.shape)
        raise BadInput(
            f"{self.name or 'the model'!r} drops of shape {list(x.shape)}, of which it cannot be told where the "
            f"{count} samples of the scope lie: give take_over(model, batch_dim=) their axis, or whole= this name "
            "where there is none, as in a mixture of experts."
        )

    def _guess(self, x: Tensor, each: int, count: int) -> None:
        """Say that rows of `x` are taken for those of samples, where nobody has said that they are: once a model."""
        where = self.name or "the model itself"
        if count == 1 or each == self.each or (self.is_said and self.batch_dim == 0) or where in self.guessed:
            return
        said = f"the rows of {list(x.shape)} are taken for {each} of each of {count} samples, side by side"
        if not self.guessed:
            if_so = "" if self.is_said else "if they are, say take_over(model, batch_dim=0), and "
            warnings.warn(
                f"in `{where}` {said}: {if_so}if they are not, as in a mixture of experts, whole= that name. What "
                "take_over returned lists all modules of which this is guessed",
                stacklevel=6,
            )
        self.guessed[where] = said


def whole(x: Tensor, draws: Draws) -> Tensor:
    """Return dropout of `x` by one draw for all samples."""
    return ops.dropout(x[None], draws(torch.tensor([WHOLE_BATCH])))[0]


def is_weight(x: Tensor) -> bool:
    """Return whether `x` is a parameter or a part of one, which has no samples, whatever its shape.

    Example:
        >>> table = nn.Parameter(torch.ones(4, 2))
        >>> is_weight(table), is_weight(table[:2]), is_weight(table * 1)
        (True, True, False)
    """
    return isinstance(x, nn.Parameter) or isinstance(x._base, nn.Parameter)
