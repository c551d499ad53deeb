"""Penalties R(w) on the weights, as terms of the loss or as proximal steps; weight decay is a part of `optim`.

The catalogue lists them; `penalty.ElasticNet` is found there, so that a new penalty is its file and one line.
"""

from collections.abc import Sequence
from typing import Any

from .. import catalogue, variants
from ..config import PenaltyTerm
from . import anchors
from .base import Penalty

__all__ = ["Penalty", "anchors", "make"]


def make(terms: Sequence[PenaltyTerm]) -> list[Penalty]:
    """Return the penalties that a configuration lists, in its order.

    Example:
        >>> make([PenaltyTerm(name="l1", coef=1e-5, on="feedforward")])
        [L1(coef=1e-05, on='feedforward')]
    """
    return [_made(number, term) for number, term in enumerate(terms)]


def _made(number: int, term: PenaltyTerm) -> Penalty:
    given = {"name": term.name, "coef": term.coef, "on": term.on, **term.values}
    found: Penalty = variants.resolve("penalty", given, f"penalty.{number}")
    return found


def __getattr__(name: str) -> Any:
    for spec in catalogue.specs("penalty"):
        if spec.target.endswith(f":{name}"):
            return spec.load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(spec.target.partition(":")[2] for spec in catalogue.specs("penalty"))})
