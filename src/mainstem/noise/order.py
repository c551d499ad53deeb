"""Whether samples come first in what noise of ours drops, in a model that also has modules with the sequence there."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from .. import counter
from ..wording import several


class First(int):
    """The axis 0, where nobody has said that it is that of the samples."""


class Order:
    """A hook on each noise of a model: warns once where nothing but the number of samples says where they lie.

    Another length of the second axis says that they come first; where the first has another, the noise itself refuses.

    Args:
        sequence_first: the name and the class of a module of the model that has the sequence first.
    """

    def __init__(self, sequence_first: str) -> None:
        self.sequence_first = sequence_first
        self.done = False

    def __call__(self, noise: nn.Module, given: tuple[Any, ...]) -> None:
        """Look at what `noise` is given."""
        x = given[0] if given else None
        if self.done or torch.compiler.is_compiling() or not isinstance(x, Tensor) or x.dim() != 3:
            return
        scope = counter.current()
        if scope is None or not getattr(noise, "dropping", False):
            return
        if getattr(noise, "is_said", False) or getattr(noise, "batch_dim", 0) != 0:
            return
        count = len(scope.draw.samples)
        if count < 2 or x.shape[0] != count:
            return
        self.done = True
        if x.shape[1] == count:
            place = "batch_dim=1" if hasattr(noise, "batch_dim") else "what has the samples first"
            warnings.warn(
                f"{getattr(noise, 'site', None)!r} drops of shape {list(x.shape)}, whose first axis is taken for that "
                f"of the {several(count, 'sample')}, and {self.sequence_first} has the sequence there: give "
                f"it {place} if it has "
                "too, or batch_first=True to the other.",
                stacklevel=6,
            )


def sequence_first(model: nn.Module) -> str | None:
    """Return which module of torch's has the sequence along its first axis, None for no such one.

    Example:
        >>> sequence_first(nn.Sequential(nn.LSTM(2, 2))), sequence_first(nn.LSTM(2, 2, batch_first=True))
        ("'0', LSTM,", None)
    """
    for name, part in model.named_modules():
        if type(part).__module__.startswith("torch.nn.") and getattr(part, "batch_first", True) is False:
            return f"{name or 'the model'!r}, {type(part).__name__},"
    return None


def look(model: nn.Module, noises: list[nn.Module]) -> None:
    """Hook an `Order` on `noises` where `model` has a module with the sequence first."""
    for each in noises:
        for key in [key for key, hook in each._forward_pre_hooks.items() if isinstance(hook, Order)]:
            del each._forward_pre_hooks[key]
    if (said := sequence_first(model)) is not None:
        order = Order(said)
        for each in noises:
            each.register_forward_pre_hook(order)
