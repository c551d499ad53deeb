"""The mode of each module of a model, train or eval, kept while all of them evaluate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put `model` in eval mode inside the ``with``; afterwards each of its modules is in the mode that it was in.

    A part may have a mode of its own, as a batch norm that is frozen; and it may do more than note its mode, as a layer
    of LoRA that adds its product to the weight in `eval` and takes it away in `train`.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout())
        >>> with evaluating(model):
        ...     model.training
        False
        >>> [part.training for part in model]
        [False, True]
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        model.train(modes[model])
        for module, mode in modes.items():  # a part comes before its own parts
            if module.training != mode:
                module.train(mode)
