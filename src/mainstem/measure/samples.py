"""Along which axis the samples of a batch lie, from what a model and its layers are called with.

Shapes: B samples, T positions, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from .leaves import tensors


class Samples:
    """The samples of one pass: the first axis, or the second one where a layer of torch's own reads positions first.

    A model that is called with [B, T] may have all its layers read [T, B, D]: samples are the second axis there too.
    Where B equals T the two orders look alike, and the first axis is taken.

    Args:
        args, kwargs: what the model is called with; without a tensor in them the layers have to agree alone.

    Example:
        >>> import torch
        >>> samples = Samples([torch.zeros(2, 3)])
        >>> samples.axis("up", torch.zeros(2, 3, 4)), samples.axis("down", torch.zeros(6, 4)), samples.unlike
        (0, None, "'down' reads [6, 4], whose first axis is not that of the samples")
    """

    def __init__(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
        given = [tensor for value in (*args, *(kwargs or {}).values()) for tensor in tensors(value)]
        self._shapes = [tensor.shape for tensor in given if tensor.dim()]
        self._axis = 0
        self._number: int | None = None
        self._orders: dict[bool, str] = {}
        self.unlike = ""
        """Why samples cannot be told apart, or nothing."""

    def positions_first(self, name: str, x: Tensor) -> None:
        """Note that a layer reads [T, B, D], positions first, whichever order the model itself is called with."""
        if x.dim() == 3 and any(shape[:2] == x.shape[:2] for shape in self._shapes):
            self._axis = 1
            if x.shape[0] == x.shape[1]:
                self.unlike = (
                    f"{name!r} reads positions first, and the samples are as many: give another number of them"
                )

    def axis(self, name: str, x: Tensor) -> int | None:
        """Return the axis of samples in what a layer reads; None where there is none, or where others have another."""
        turned = x.dim() > 2 and self._is_turned(x)
        axis = min(1 - self._axis if turned else self._axis, x.dim() - 2)
        numbers = {shape[self._axis] for shape in self._shapes if len(shape) > self._axis}
        reads = f"{name!r} reads {list(x.shape)}"
        if x.dim() > 2:
            self._orders.setdefault(turned, reads)
        # Where only some layers have turned axes, those may be of windows, so many that they look like positions.
        alike = len(self._orders) < 2
        if alike and axis >= 0 and self._number in (None, x.shape[axis]) and (not numbers or x.shape[axis] in numbers):
            self._number = x.shape[axis]
        elif not self.unlike:
            which = "second" if self._axis and axis > 0 else "first"
            self.unlike = f"{reads if alike else self._orders[True]}, whose {which} axis is not that of the samples"
        return None if self.unlike else axis

    def _is_turned(self, x: Tensor) -> bool:
        """Return whether `x` begins with [T, B] where the model is called with a tensor that begins with [B, T]."""
        starts = {tuple(shape[:2]) for shape in self._shapes}
        first, second = x.shape[:2]
        return (second, first) in starts and (first, second) not in starts
