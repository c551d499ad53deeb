"""What one network of an ensemble predicts by itself, beside the mean of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..measure.evaluate import evaluate
from ..names import networks
from ..runs.score import BITS
from ..runs.state import Best
from ..wording import fixed
from .learner import Learner
from .prior import windows


def alone(learner: Learner, best: Best, late: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Return what the outcome says of an ensemble: bits per byte of its first member, on the windows of the pass.

    The model holds the best weights now. Nothing for one network, or where ``late()`` is true: it takes as long as a
    pass over one member.
    """
    several = list(networks(learner.model).values())
    if not several or late():
        return {}
    found = evaluate(
        several[0],
        learner.data.held_out,
        windows=len(windows(learner, best)),
        documents=learner.run.data.documents == "mask",
        batch=learner.run.evaluate.batch,
        autocast=learner.place.autocast,
    )
    return {"ensemble": {"members": len(several), "one_bpb": found.bits_per_byte}}


def line(said: Mapping[str, Any], bits: float) -> str:
    """Return what the outcome says of an ensemble, which needs so many `bits`, as a line of the screen.

    Example:
        >>> print(line({"members": 4, "one_bpb": 2.0}, 1.9))
        the mean of 4 members: one of them alone 2.0000 bits per byte, all of them 5.0% fewer
    """
    one = said["one_bpb"]
    how = f"{1 - bits / one:.1%} fewer" if bits <= one else f"{bits / one - 1:.1%} more"
    return (
        f"the mean of {said['members']} members: one of them alone {fixed(one, '.4f')} {BITS.unit}, all of them {how}"
    )
