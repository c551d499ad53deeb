"""What can be watched; what cannot is refused with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ..errors import BadInput
from .depth import compiled
from .leaves import tensors
from .quantity import QUANTITIES

Every = int | Mapping[str, int]
"""How many passes lie between two that are measured; or that for each quantity by its name."""


def periods(every: Every) -> dict[str, int]:
    """Return n, for a measurement in each n-th pass, by the names of the quantities."""
    names = [kind.name for kind in QUANTITIES]
    found = dict.fromkeys(names, every) if isinstance(every, int) else dict(every)
    for name, period in found.items():
        if name not in names:
            raise BadInput(f"There is no quantity {name!r}: give some of {', '.join(names)}.")
        if not isinstance(period, int) or isinstance(period, bool) or period < 1:
            raise BadInput(f"every {period!r} for {name} is not a number of passes: give a whole number of at least 1.")
    return found


def check(model: nn.Module) -> None:
    """Raise `BadInput` for a model of which nothing can be measured."""
    publish = getattr(model, "networks", None)
    if callable(publish) and (paths := list(publish())):
        raise BadInput(
            f"The model is {len(paths)} networks beside one another, each with a depth of its own: watch one of them, "
            f"model.{paths[0].replace('.0', '[0]')}."
        )
    if compiled(model):
        raise BadInput(
            "The model is compiled, and its graph has no hooks: watch the module that was given to torch.compile, and "
            "call that one while it is watched."
        )
    first = next(model.parameters(), None)
    if first is None:
        raise BadInput(f"{type(model).__name__} has no parameters, so there is nothing to measure: give a model.")
    if any(parameter.is_meta for parameter in model.parameters()):
        raise BadInput("The model is on the meta device, where weights have no numbers: move it with to_empty or load.")


def check_inputs(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise `BadInput` where a model is on one device, and what it is called with on another."""
    places = {parameter.device for parameter in model.parameters()}
    for given in (*args, *kwargs.values()):
        for tensor in tensors(given):
            if len(places) == 1 and tensor.device not in places and tensor.dim():
                place = next(iter(places))
                raise BadInput(
                    f"The input is on {tensor.device} and the model on {place}: move it with .to({str(place)!r})."
                )
