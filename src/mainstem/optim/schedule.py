"""The learning rate as a share of its peak: a pure function of progress, so that nothing about it needs saving."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from .. import variants
from ..config import Optim
from ..config.sections import Share
from ..errors import BadInput


class Schedule(ABC):
    """The share of the peak learning rate behind the warm-up. Abstract; its fields are what one may set."""

    @abstractmethod
    def __call__(self, step: float, start: int, steps: int) -> float:
        """Return the share, in [0, 1], at progress step / steps, where the warm-up ends with step `start` < `step`."""


@dataclass(frozen=True)
class Falling(Schedule):
    """x + floor (1 - x), where x falls from 1 to 0. Abstract.

    Args:
        floor: last learning rate, as a share of the peak.
    """

    floor: Share = 0.0

    def __post_init__(self) -> None:
        variants.within(self)

    def __call__(self, step: float, start: int, steps: int) -> float:
        # Written so that both ends are exact: x = 1 gives 1 and x = 0 the floor, without rounding.
        x = self.fall(step, start, steps)
        return x + self.floor * (1.0 - x)

    @abstractmethod
    def fall(self, step: float, start: int, steps: int) -> float:
        """Return x."""


def factor(step: float, steps: int, section: Optim) -> float:
    """Return the share of the peak learning rate at progress step / steps, after which the update of a step is made.

    Where a run's number of steps was estimated anew, `step` is no whole number (`runs.state.Length.done`).
    With w = max(1, round(warmup * steps)): step / w up to step w, where it is exactly 1, and then what the section's
    schedule gives. A single step has factor 1; beyond the last step the last one's goes on.

    Raises:
        BadInput: for a step below 1, where nothing has been done.

    Example:
        >>> linear = Optim(schedule={"name": "linear", "floor": 0.1}, warmup=0.2)
        >>> [round(factor(step, 10, linear), 4) for step in (1, 2, 6, 10)]
        [0.5, 1.0, 0.55, 0.1]
    """
    return share(step, steps, section.warmup, variants.resolve("schedule", section.schedule))


def share(step: float, steps: int, warmup: float, schedule: Schedule) -> float:
    """Return what `factor` does, of a schedule that has been made."""
    if step < 1 or steps < 1:
        raise BadInput(f"step {step} of {steps} has no learning rate: steps are counted from 1.")
    step = min(step, steps)
    warm = max(1, round(warmup * steps))
    return step / warm if step <= warm else schedule(step, warm, steps)


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
