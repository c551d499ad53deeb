"""How many steps a run has: given, or from epochs, or from a budget of wall time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from .. import config, optim
from ..errors import BadInput
from ..runs.manifest import Manifest
from ..runs.state import Length

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DEFAULT_EPOCHS = 20.0
"""Where nothing is said: early stopping usually ends such a run sooner."""


def seconds(budget: str) -> float:
    """Return the seconds of a budget such as 90s, 10m, 1.5h.

    Example:
        >>> seconds("10m")
        600.0
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", budget.strip())
    if not match or not float(match[1]):
        raise BadInput(f"train.budget {budget!r} is not a time: write it as 90s, 10m or 2h.")
    return float(match[1]) * _UNITS[match[2]]


def steps_of_epochs(epochs: float, num_tokens: int, tokens_per_step: int) -> int:
    """Return how many whole steps fit into `epochs` times `num_tokens` tokens, at least one.

    A step more would begin the text anew, and see a part of it once more than was asked for.

    Example:
        >>> steps_of_epochs(2, 1000, 64), steps_of_epochs(2.048, 1000, 64)
        (31, 32)
    """
    return max(1, math.floor(epochs * num_tokens / tokens_per_step * (1 + 1e-12)))


def most(train: config.Train, num_tokens: int, tokens_per_step: int) -> int:
    """Return how many steps a run within a budget has at most.

    Example:
        >>> most(config.Train(budget="10m", passes=3.0), 1000, 64), most(config.Train(budget="10m"), 1000, 64) > 10**9
        (47, True)
    """
    return 1 << 53 if train.passes is None else max(1, math.ceil(train.passes * num_tokens / tokens_per_step))


def resolve(
    train: config.Train,
    num_tokens: int,
    tokens_per_step: int,
    known: Iterable[Length],
    measured: Callable[[float], int],
) -> Length:
    """Return the number of steps and what it came from; what is `known` to have been resolved before stays.

    So going on is exact. Of several that are known the first one with the same fields is taken.

    `measured` turns a budget in seconds into steps; it is called at most once in the life of a run.
    """
    asked: dict[str, Any] = {"steps": train.steps, "epochs": train.epochs, "budget": train.budget}
    if sum(value is not None for value in asked.values()) > 1:
        given = ", ".join(f"train.{name} {value}" for name, value in asked.items() if value is not None)
        raise BadInput(f"{given} all say how long the run is: give one of them.")
    if train.passes is not None:
        asked["passes"] = train.passes
    for before in known:
        if before.asked == asked:
            return before
    if train.steps is not None:
        steps = train.steps
    elif train.budget is not None:
        steps = max(1, min(measured(seconds(train.budget)), most(train, num_tokens, tokens_per_step)))
    else:
        steps = steps_of_epochs(train.epochs or _DEFAULT_EPOCHS, num_tokens, tokens_per_step)
    return Length(steps, asked)


def risen(run: config.Run, manifest: Manifest, length: Length) -> str | None:
    """Return a line where the learning rate goes up, as the run ends at another step now; None where it does not."""
    step, before = manifest.step, manifest.length.steps
    if not step or length.steps in (before, step):
        return None
    peak = optim.parse(run.optim).peak
    old = peak * optim.schedule.factor(manifest.length.done(step), before, run.optim)
    new = peak * optim.schedule.factor(length.done(step + 1), length.steps, run.optim)
    if new <= old:
        return None
    return f"the learning rate rises from {old:.3g} to {new:.3g}, as its schedule ends at step {length.steps} now"
