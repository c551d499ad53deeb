"""The learning rate as a share of its peak: a pure function of progress, so that nothing about it needs saving."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor
from torch.optim import Optimizer

from .. import catalogue
from ..config import Optim
from ..errors import BadInput

Shape = Callable[[float, int, int, Optim], float]
"""(step, last step of the warm-up, steps, section) -> x in [0, 1], for the steps behind the warm-up: a schedule."""


def factor(step: float, steps: int, section: Optim) -> float:
    """Return the share of the peak learning rate at progress step / steps, after which the update of a step is made.

    Where a run's number of steps was estimated anew, `step` is no whole number (`runs.state.Length.done`).
    With w = max(1, round(warmup * steps)): step / w up to step w, where it is exactly 1. Then x + floor * (1 - x),
    where x is what the schedule of that name in the catalogue gives: it falls from 1 to 0, so that the last step has
    exactly the floor, or stays at 1. A single step has factor 1; beyond the last step the last one's goes on.

    Raises:
        BadInput: for a step below 1, where nothing has been done.

    Example:
        >>> linear = Optim(schedule="linear", warmup=0.2, floor=0.1)
        >>> [round(factor(step, 10, linear), 4) for step in (1, 2, 6, 10)]
        [0.5, 1.0, 0.55, 0.1]
    """
    if step < 1 or steps < 1:
        raise BadInput(f"step {step} of {steps} has no learning rate: steps are counted from 1")
    step = min(step, steps)
    warm = max(1, round(section.warmup * steps))
    if step <= warm:
        return step / warm
    shape: Shape = catalogue.resolve("schedule", section.schedule)
    # Written so that both ends are exact: x = 1 gives 1 and x = 0 the floor, without rounding.
    x = shape(step, warm, steps, section)
    return x + section.floor * (1.0 - x)


def cosine(step: float, start: int, steps: int, section: Optim) -> float:
    """Return (1 + cos(pi t)) / 2, with t the share done of the steps behind `start`."""
    return 0.5 * (1.0 + math.cos(math.pi * ((step - start) / (steps - start))))


def linear(step: float, start: int, steps: int, section: Optim) -> float:
    """Return 1 - t, with t the share done of the steps behind `start`."""
    return 1.0 - max(0.0, (step - start) / (steps - start))


def wsd(step: float, start: int, steps: int, section: Optim) -> float:
    """Return 1 until the last round(cooldown * steps) steps, which are linear."""
    return linear(step, max(start, steps - max(1, round(section.cooldown * steps))), steps, section)


def constant(step: float, start: int, steps: int, section: Optim) -> float:
    """Return 1."""
    return 1.0


def apply(optimizer: Optimizer, share: float) -> None:
    """Set the learning rate of every group of `optimizer` to its peak times `share`.

    The peak of a group that has none, as torch's optimizers have, is the rate that it has the first time.
    """
    for group in optimizer.param_groups:
        rate = group.setdefault("peak", float(group["lr"])) * share
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
