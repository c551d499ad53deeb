"""When a held-out pass is due."""

from __future__ import annotations


def due(step: int, steps: int, every: int) -> bool:
    """Return whether `step` of `steps` is followed by a pass: one each `every` steps, and the last one.

    One within half an interval of the last one is left out.

    Example:
        >>> [step for step in range(1, 11) if due(step, 10, 4)], [step for step in range(1, 10) if due(step, 9, 4)]
        ([4, 8, 10], [4, 9])
    """
    return step == steps or (step % every == 0 and 2 * (steps - step) >= every)


def passes(steps: int, every: int) -> int:
    """Return how many of `steps` steps are followed by a pass.

    Example:
        >>> passes(10, 4), passes(9, 4), passes(3, 4)
        (3, 2, 1)
    """
    return max(1, (2 * steps + every) // (2 * every))
