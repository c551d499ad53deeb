"""What a run knows besides weights and moments, as one JSON value that a checkpoint keeps."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ..files import Count

Seconds = Annotated[float, Meta(ge=0)]


class Length(Struct, frozen=True, omit_defaults=True):
    """How many steps a run has; `asked` are the fields that they were resolved from.

    Progress goes from 0 to 1: p <- p + (1 - p) / (steps left) with each step, so that it is 1 after the last one. Where
    the steps were estimated anew, after step `since`, it was `progress_then` there; else it is step / steps.

    Example:
        >>> Length(10).progress(5), Length(6, since=4, progress_then=0.5).progress(5)
        (0.5, 0.75)
    """

    steps: Annotated[int, Meta(ge=1, le=1 << 53)]
    asked: dict[str, Any] = {}
    since: Count = 0
    progress_then: Annotated[float, Meta(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if self.since >= self.steps:
            raise ValueError(f"the {self.steps} steps end before step {self.since}")

    def done(self, step: int) -> float:
        """Return the progress after `step` in steps of `steps`: `step` itself, where none were estimated anew."""
        if step >= self.steps or not self.since:
            return min(step, self.steps)
        then = self.progress_then
        return self.steps * (then + (1 - then) * (step - self.since) / (self.steps - self.since))

    def progress(self, step: int) -> float:
        """Return the progress after `step`, which is not before `since`."""
        return self.done(step) / self.steps

    def anew(self, step: int, steps: int) -> Length:
        """Return the length of this run where it has come to `step` and is to have `steps` in all."""
        return msgspec.structs.replace(self, steps=steps, since=step, progress_then=self.progress(step))


class Costs(Struct, frozen=True):
    """Seconds of a step, of a target in a held-out pass, and of a checkpoint, as they were until now.

    `first` is what a step took when that was measured for the first time.
    """

    step: Seconds
    target: Seconds
    save: Seconds
    first: Seconds


class Gap(Struct, frozen=True, forbid_unknown_fields=True):
    """``value = held_out - training`` in the unit of the score, and the ends of its 95% interval."""

    value: float
    low: float
    high: float
    training: float
    held_out: float


class Scores(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a pass over held-out data came to: `values` has each score of the task by its name.

    `error` and `gap` are of the first of them: `error` is the standard error where only `tokens` of the held-out tokens
    were measured, None where all were; `gap` is None where nothing says how sure it would be.
    """

    values: dict[str, float]
    tokens: Count
    error: float | None = None
    gap: Gap | None = None

    def line(self) -> dict[str, Any]:
        """Return what a pass adds to its line of metrics.jsonl."""
        found = self.flat()
        return {"gap": found.pop("gap"), "held_out": {name: value for name, value in found.items() if name != "step"}}

    def flat(self) -> dict[str, Any]:
        """Return JSON values for people and other programs: each score under its own name, beside the rest.

        The names are in the order of the alphabet, as they come back from a manifest.
        """
        found = msgspec.to_builtins(self)
        return {**dict(sorted(found.pop("values").items())), **found}


class Best(Scores, kw_only=True, forbid_unknown_fields=True):
    """The scores of the weights after `step` steps."""

    step: Count

    @classmethod
    def at(cls, step: int, scores: Scores) -> Best:
        """Return `scores` as those of the weights after `step` steps."""
        return cls(step=step, **msgspec.structs.asdict(scores))


class _Pending(Struct):
    """What the held-out pass and the console ask a line of metrics.jsonl for; it may hold more."""

    step: Count
    tokens: Count
    loss: float | None
    seconds: float
    phases: dict[str, float]


class State(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a run stands after `step` steps.

    `pending` is the line of metrics.jsonl of a step whose held-out pass has not been made yet: a signal may come in the
    middle of one. `waited` counts evaluations without gain; `pruned` is whether a listener has asked for an end.
    `skipped` is how many steps were left out, as a number was not finite, and `in_a_row` how many of the last ones
    were; `spikes` is how many were left out for the norm of their gradient. `start` is the pass before the first step,
    `reached` the one at the end, of the best weights: with it the run is over, unless it is extended. `spent` is how
    much of its budget it has used, and `costs` what took how long; both are there under a budget alone.
    """

    step: Count = 0
    tokens: Count = 0
    seconds: float = 0.0
    spent: Seconds = 0.0
    costs: Costs | None = None
    waited: Count = 0
    pruned: bool = False
    skipped: Count = 0
    in_a_row: Count = 0
    spikes: Count = 0
    start: Best | None = None
    best: Best | None = None
    last: Best | None = None
    reached: Best | None = None
    pending: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.pending is not None and msgspec.convert(self.pending, _Pending).step != self.step:
            raise ValueError(f"the line that waits is not that of step {self.step}")
