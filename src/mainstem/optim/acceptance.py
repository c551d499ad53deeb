"""Whether a step counts: one question, asked with the norm of its gradient before anything has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .skip import Skipping

Accepts = Callable[[Tensor], Tensor]
"""Whether the step whose gradient has this norm counts: a 0-d truth value."""


def finite(norm: Tensor) -> Tensor:
    """Return whether the `norm` is finite: what is asked of a step of which nothing else is known."""
    return norm.isfinite()


class Acceptance:
    """Which steps of a training count: those of finite numbers, whose gradient is no spike for `skipping`. Final.

    Args:
        skipping: what it has seen, and by which rule; None: no step is left out for its gradient.
        total: adds a tensor up over the processes that take the steps together, so that all of them decide alike.

    Example:
        >>> question = Acceptance().of({"loss": torch.tensor(torch.inf)})
        >>> question(torch.tensor(1.0)), question.numbers
        (tensor(False), {'grad_norm': tensor(1.)})
    """

    def __init__(self, skipping: Skipping | None = None, total: Callable[[Tensor], Tensor] = lambda found: found):
        self.skipping, self._total = skipping, total

    def of(self, numbers: Mapping[str, Tensor]) -> Question:
        """Return the question whether the step counts of which `numbers` are known, all but the gradient's norm."""
        return Question(self, numbers)

    def spike(self, norm: Tensor) -> Tensor:
        """Return whether the gradient of this `norm` is a spike in any process: a 0-d truth value on its device."""
        assert self.skipping is not None
        return self._total((~self.skipping(norm)).to(torch.int32)) > 0

    def state(self) -> dict[str, Tensor]:
        """Return what the next question depends on; nothing, where no step is left out for its gradient."""
        return {} if self.skipping is None else self.skipping.state()

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        if self.skipping is not None:
            self.skipping.load(state)


class Question:
    """Whether one step counts, asked once with the norm of its gradient. Nothing here looks at a number.

    Afterwards `answer` is what it came to, and `numbers` are those of the answer: `grad_norm`, and `spike` where that
    was asked.
    """

    def __init__(self, acceptance: Acceptance, known: Mapping[str, Tensor]) -> None:
        self._acceptance, self._known = acceptance, known
        self.answer = torch.tensor(False)
        self.numbers: dict[str, Tensor] = {}

    def __call__(self, norm: Tensor) -> Tensor:
        """Return whether the step counts: a 0-d truth value on the device of the numbers that were known."""
        devices = [number.device for number in self._known.values()]
        here = norm.to(devices[0]) if devices else norm
        counts = torch.stack([number.detach().isfinite().all() for number in (*self._known.values(), here)]).all()
        self.numbers = {"grad_norm": norm}
        if self._acceptance.skipping is not None:
            # A step that is not finite is nothing to go by: its norm is not shown to what remembers norms.
            spike = self._acceptance.spike(torch.where(counts, here, torch.nan))
            self.numbers["spike"] = spike
            counts = counts & ~spike
        self.answer = counts
        return counts
