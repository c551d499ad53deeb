"""One step's samples, as a task hands them to its loss.

Shapes: B samples of a batch; all else is the task's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from .device import Place


class Batch(NamedTuple):
    """Samples that are computed at once, a row of each tensor.

    `inputs` are what the model is called with, by the names of its arguments, absolute positions among them where a
    task has some. `targets` are what is predicted, `weight` how much each target counts (None: 1). `slots` are the
    places of the samples in the global batch, which name their masks.

    Example:
        >>> import torch
        >>> batch = Batch({"x": torch.zeros(3, 2)}, torch.zeros(3), range(10, 13), torch.tensor([1.0, 0.0, 1.0]))
        >>> float(batch.divisor), [list(part.slots) for part in batch.split(2)]
        (2.0, [[10, 11], [12]])
    """

    inputs: Mapping[str, Tensor]
    targets: Tensor
    slots: Sequence[int]
    weight: Tensor | None = None

    @property
    def divisor(self) -> Tensor | int:
        """By what the sum of the losses is divided: the sum of the weights, or the number of targets."""
        return self.targets.numel() if self.weight is None else self.weight.sum()

    def split(self, size: int) -> Iterator[Batch]:
        """Yield the batch in parts of at most `size` samples; every sample keeps its slot."""
        for first in range(0, len(self.slots), size):
            part = slice(first, first + size)
            inputs = {name: tensor[part] for name, tensor in self.inputs.items()}
            weight = None if self.weight is None else self.weight[part]
            yield Batch(inputs, self.targets[part], self.slots[part], weight)

    def to(self, place: Place) -> Batch:
        """Return the batch on the device of `place`."""
        inputs = {name: place.take(tensor) for name, tensor in self.inputs.items()}
        weight = None if self.weight is None else place.take(self.weight)
        return Batch(inputs, place.take(self.targets), self.slots, weight)
