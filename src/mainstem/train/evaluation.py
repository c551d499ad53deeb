"""A held-out pass of a run: when it is due, what it takes, and what it comes to.

Passes in between take a fixed number of tokens, in windows that are evenly spread and always the same, so that they
can be compared with each other. The last one takes all of the held-out part where training was long enough for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from ..data.batches import num_windows
from ..measure.evaluate import evaluate
from ..runs.state import Best
from .gap import between
from .step import Learner

_LAST = 0.3
"""Tokens that the pass at the end takes for each token that was trained on, at most. A token takes a quarter to a third
of the time here that it takes in a step, so this is a tenth of the time of training; and it is the same anywhere."""

FEWEST = 2
"""Windows without which there is no interval."""


class Windows(NamedTuple):
    """How many windows a pass takes of either side, and how many predicted tokens these have at most."""

    held_out: int
    training: int
    tokens: int


def due(step: int, steps: int, every: int) -> bool:
    """Return whether `step` of `steps` is followed by a pass: one each `every` steps, and the last one.

    One within half an interval of the last one is left out.

    >>> [step for step in range(1, 11) if due(step, 10, 4)], [step for step in range(1, 10) if due(step, 9, 4)]
    ([4, 8, 10], [4, 9])
    """
    return step == steps or (step % every == 0 and 2 * (steps - step) >= every)


def passes(steps: int, every: int) -> int:
    """Return how many of `steps` steps are followed by a pass.

    >>> passes(10, 4), passes(9, 4), passes(3, 4)
    (3, 2, 1)
    """
    return max(1, (2 * steps + every) // (2 * every))


def sample(learner: Learner, held_out: Any) -> Windows:
    """Return what a pass in between takes: `evaluate.tokens` of either side, or all that there are."""
    return _windows(learner, held_out, *(2 * [_wanted(learner)]))


def last(learner: Learner, held_out: Any, trained: int) -> Windows | None:
    """Return what the pass at the end takes after `trained` tokens of training: all held-out windows, and as many of
    the training text as there is time for, at most as many.

    None where it takes no more than a pass in between, or more than a tenth of the time of training.
    """
    length, few = learner.plan.context, _wanted(learner)
    every = num_windows(held_out, length)
    room = int(_LAST * trained) // length - every
    if every <= few or room < 0:
        return None
    return _windows(learner, held_out, every, max(few, min(every, room)))


def taken(
    learner: Learner,
    held_out: Any,
    windows: Windows,
    step: int,
    stop: Callable[[], bool] | None = None,
    tell: Callable[[int], None] | None = None,
) -> Best:
    """Return what the weights that the model holds now come to, on `windows` of either side.

    ``tell(tokens)`` is called with the number of tokens that are done. Raises `Abandoned` once `stop()` is true.
    """
    how: dict[str, Any] = {
        "context": learner.plan.context, "documents": learner.run.data.documents == "mask",
        "autocast": learner.place.autocast, "stop": stop,
    }  # fmt: skip
    held = evaluate(learner.model, held_out, windows=windows.held_out, tell=tell, **how)
    behind = None if tell is None else lambda done: tell(held.tokens + done)
    gap = between(held, evaluate(learner.model, learner.text, windows=windows.training, tell=behind, **how))
    return Best(
        step=step,
        nats_per_token=held.nats_per_token,
        bits_per_byte=held.bits_per_byte,
        tokens=held.tokens,
        error=held.error,
        gap=gap,
    )


def line(found: Best) -> dict[str, Any]:
    """Return what a pass adds to a line of metrics.jsonl."""
    values = msgspec.to_builtins(found)
    return {"gap": values.pop("gap"), "held_out": {name: value for name, value in values.items() if name != "step"}}


def _wanted(learner: Learner) -> int:
    return max(FEWEST, -(-learner.run.evaluate.tokens // learner.plan.context))


def _windows(learner: Learner, held_out: Any, held: int, training: int) -> Windows:
    length = learner.plan.context
    held = min(held, num_windows(held_out, length))
    training = min(training, num_windows(learner.text, length))
    return Windows(held, training, (held + training) * length)
