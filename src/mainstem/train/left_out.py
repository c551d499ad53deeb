"""What becomes of a step that did not count: what its line and the state of the run say, and what the user hears.

What decides that is `optim.acceptance`; here are its numbers, once they can be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import config
from ..config import owned
from ..runs.state import State
from . import diverged


def note(
    run: config.Run, state: State, line: dict[str, Any], numbers: dict[str, float], warn: Callable[[str], None]
) -> str | None:
    """Count the step of `line` in `state` as left out where its `numbers` say so: one not finite, or a spike.

    Such a step has changed nothing (`Learner.step`). In its line `skipped` is true, and a number that is not finite
    null. The user is warned of the first one, or of the first in a row.

    Returns:
        The number for which the run ends, as too many steps in a row had one that is not finite; None otherwise.
    """
    bad = [name for name, value in numbers.items() if not math.isfinite(value)]
    line.pop("spike", None)
    if not bad:
        state.in_a_row = 0
        if numbers.get("spike"):
            _spike(run, state, line, numbers["grad_norm"], warn)
        return None
    state.skipped, state.in_a_row = state.skipped + 1, state.in_a_row + 1
    if state.in_a_row > run.train.max_skipped:
        return bad[0]
    if state.in_a_row == 1:
        what = diverged.what(line["step"], bad[0], numbers[bad[0]])
        warn(f"{what}: the step was left out, and the weights are as they were")
    line.update(dict.fromkeys(bad), skipped=True)
    return None


def _spike(run: config.Run, state: State, line: dict[str, Any], norm: float, warn: Callable[[str], None]) -> None:
    state.spikes += 1
    line["skipped"] = True
    if state.spikes == 1:
        warn(
            f"the gradient's norm of step {line['step']} is {norm:.4g}, a spike by optim.skip "
            f"{owned.name_of(run.optim.skip)}: the step was left out, as later ones will be without a word; their "
            "number is said at the end"
        )
