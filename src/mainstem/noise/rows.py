"""Where the samples lie in what a foreign module drops."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .. import ops
from ..counter import WHOLE_BATCH
from ..errors import BadInput
from ..wording import several

Draws = Callable[[Tensor | None], ops.Mask]
"""Returns what is drawn from, of the samples of the scope (None) or of others."""


class Layout:
    """What is known of the samples in a whole model; all its places share one.

    Args:
        guessed: what was guessed, in words by the module's name.
        mixed: whether a module of the model is known to have the sequence first, so that no tensor tells of another.
    """

    def __init__(self, guessed: dict[str, str], mixed: bool = False) -> None:
        self.guessed, self.mixed = guessed, mixed
        self.shown = False
        """Whether a sequence had its samples first, as its second axis was of another length."""

    def guess(self, where: str, said: str, remedy: str) -> None:
        """List a guess, and warn of the first one of the model."""
        if where in self.guessed:
            return
        if not self.guessed:
            warnings.warn(
                f"in `{where}` {said}: {remedy}. What take_over returned lists all modules of which this is guessed",
                stacklevel=7,
            )
        self.guessed[where] = said


class Place:
    """What is known of the samples in what one module drops.

    Args:
        name: the module's.
        batch_dim: the axis of the samples; None where nobody knows.
        whole: whether there is no axis of the samples.
        is_said: whether the axis is what somebody has said, and not what the module's type tells.
        layout: what is known of the whole model.
    """

    def __init__(self, name: str, batch_dim: int | None, whole: bool, is_said: bool, layout: Layout) -> None:
        self.name, self.batch_dim, self.whole, self.is_said, self.layout = name, batch_dim, whole, is_said, layout
        self.each = 1
        """How many rows of a sample are known to lie side by side, such as the heads of attention."""

    def axis(self, axes: int, given: int | None = None) -> int:
        """Return where the samples lie in something with so many axes: as `given`, said or known, or else first."""
        at = self.batch_dim if given is None else given
        return 0 if at is None or (axes < 3 and not self.is_said) else at

    def dropped(self, x: Tensor, draws: Draws, count: int, axis: int | None, context: int | None) -> Tensor:
        """Return dropout of `x`, whose `count` samples lie along `axis`; None: as `take_over` says.

        Raises:
            BadInput: it cannot be told where they lie.
        """
        if self.whole:
            return whole(x, draws)
        if x.dim() == 0:
            return self.dropped(x[None], draws, count, 0, None)[0]
        at = self.axis(x.dim(), axis)
        there = x.shape[at] if -x.dim() <= at < x.dim() else -1
        if there == count:
            if axis is None:
                self.look(x.shape, count)
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

    def look(self, shape: Sequence[int], count: int) -> None:
        """Say that the first axis of `shape` is taken for that of the samples, where it may be that of a sequence.

        What has four axes is none, but weights of attention or images, whose samples come first by convention.
        """
        if self.batch_dim is not None or count == 1 or len(shape) != 3:
            return
        if shape[1] != count:
            self.layout.shown = True
        elif self.layout.mixed or not self.layout.shown:
            self.layout.guess(
                self.name or "the model itself",
                f"two axes of {list(shape)} are as long as the {several(count, 'sample')}, of which the "
                "first is taken for theirs",
                "if it is, say take_over(model, batch_dim=0), and batch_dim=1 if that of the sequence comes first",
            )

    def _guess(self, x: Tensor, each: int, count: int) -> None:
        """Say that rows of `x` are taken for those of samples, where nobody has said that they are: once a model."""
        if count == 1 or each == self.each or (self.is_said and self.batch_dim == 0):
            return
        if_so = "" if self.is_said else "if they are, say take_over(model, batch_dim=0), and "
        self.layout.guess(
            self.name or "the model itself",
            f"the rows of {list(x.shape)} are taken for {each} of each of {several(count, 'sample')}, side by side",
            f"{if_so}if they are not, as in a mixture of experts, whole= that name",
        )


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
