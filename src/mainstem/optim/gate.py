"""A step that counts only where a tensor on the device says so, without waiting for the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Undo = Callable[[], None]


class Gate:
    """Puts tensors back where `applies`, a 0-d truth value on their device, is false; nothing looks at it.

    What lies on another device, such as a count of steps on the CPU, is put back by `settle`, once somebody asks:
    a step later, when the device is long done with this one.

    Example:
        >>> w = torch.ones(2)
        >>> gate = Gate(torch.tensor(False))
        >>> gate.hold([w])
        >>> _ = w.mul_(torch.nan)
        >>> gate.close()
        >>> w
        tensor([1., 1.])
    """

    def __init__(self, applies: Tensor) -> None:
        self.applies = applies
        self._done: Any = None
        self._held: list[tuple[Tensor, Tensor]] = []
        self._undo: list[Undo] = []

    def hold(self, tensors: Sequence[Tensor]) -> None:
        """Keep what these hold now."""
        self._held += [(tensor, tensor.clone()) for tensor in tensors]

    def undone_by(self, undo: Undo) -> None:
        """Have `settle` call this where the step does not count."""
        self._undo.append(undo)

    def close(self) -> None:
        """Put back what changed since it was held, where the step does not count."""
        for tensor, before in self._held:
            if tensor.device == self.applies.device:
                torch.where(self.applies, tensor, before, out=tensor)
            else:
                self._undo.append(lambda tensor=tensor, before=before: tensor.copy_(before))  # type: ignore[misc]
        self._held = []
        if self._undo and self.applies.device.type == "cuda":
            # A copy that is made behind the host's back: reading it waits for this step, not for what is queued since.
            seen = torch.empty((), dtype=torch.bool, pin_memory=True)
            self.applies, self._done = seen.copy_(self.applies, non_blocking=True), torch.cuda.Event()
            self._done.record()

    def settle(self) -> None:
        """Put back what the device does not hold, where the step did not count."""
        if self._undo and self._done is not None:
            self._done.synchronize()
        if self._undo and not bool(self.applies):
            for undo in reversed(self._undo):
                undo()
        self._undo = []

    def found_inf(self) -> Tensor:
        """Return what torch's own kernels take: 1 where the step is to be left out."""
        return 1.0 - self.applies.to(torch.float32)
