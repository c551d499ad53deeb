"""What a run knows besides weights and moments, as one JSON value that a checkpoint keeps. May import `files`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ..files import Count


class Length(Struct, frozen=True):
    """How many steps a run has; `asked` are the fields that they were resolved from."""

    steps: Annotated[int, Meta(ge=1, le=1 << 53)]
    asked: dict[str, Any]


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
    loss: float
    seconds: float
    phases: dict[str, float]


class State(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a run stands after `step` steps.

    `pending` is the line of metrics.jsonl of a step whose held-out pass has not been made yet: a signal may come in the
    middle of one. `waited` counts evaluations without gain; `pruned` is whether a listener has asked for an end.
    `start` is the pass before the first step, `reached` the one at the end, of the best weights: with it the run is
    over, unless it is extended.
    """

    step: Count = 0
    tokens: Count = 0
    seconds: float = 0.0
    waited: Count = 0
    pruned: bool = False
    start: Best | None = None
    best: Best | None = None
    last: Best | None = None
    reached: Best | None = None
    pending: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.pending is not None and msgspec.convert(self.pending, _Pending).step != self.step:
            raise ValueError(f"the line that waits is not that of step {self.step}")
