"""The generalisation gap: held-out loss minus training loss, both in eval mode, with its 95% interval.

Shapes: W windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..data.batches import Window, held_out_windows, spread
from ..measure.evaluate import Held
from ..runs.state import Gap

_LEVEL = 0.975


def between(held: Held, seen: Held) -> Gap | None:
    """Return the gap between a pass over held-out text and one over training text.

    ``value +- t(.975, v) s`` with ``s^2 = s_h^2 + s_t^2``, the squared standard errors of both passes (0 for one over
    all windows), and v degrees of freedom: ``s^4 / (s_h^4 / v_h + s_t^4 / v_t)`` with ``v = 2 (n - 1) / 3`` for n
    windows, as their errors come from differences between neighbours. The interval is of the gap between all of the
    held-out part and all of the training text; how other held-out text would do is another question. None where one
    side has measured one window of several, of which nothing says how much windows differ.

    Source:
        Welch 1947, The generalization of Student's problem, with the variances of `measure.evaluate.error`.
    """
    parts = [((side.error or 0.0) ** 2, max(1.0, 2 * (len(side.nats_W) - 1) / 3)) for side in (held, seen)]
    variance = math.fsum(own for own, _ in parts)
    if math.isnan(variance):
        return None
    wide = 0.0
    if variance > 0:
        from scipy.special import stdtrit  # takes a while to import

        freedom = variance**2 / math.fsum(own**2 / count for own, count in parts)
        wide = float(stdtrit(freedom, _LEVEL)) * math.sqrt(variance)
    value = held.nats_per_token - seen.nats_per_token
    return Gap(value, value - wide, value + wide, seen.nats_per_token, held.nats_per_token)


def training_windows(train: Any, context: int, count: int, documents: bool = False) -> Iterator[Window]:
    """Yield `count` whole windows of `context` tokens, spread evenly over `train`, several together."""
    available = max(1, (len(train) - 1) // context)
    return held_out_windows(train, context, documents, spread(available, count))
