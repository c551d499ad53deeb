"""Penalties R(w) on the weights, as terms of the loss or as proximal steps; weight decay is a part of `optim`.

The catalogue lists them; `penalty.ElasticNet` is found there, so that a new penalty is its file and one line,
and one of the imports for type checkers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import catalogue, variants
from ..config import PenaltyTerm
from . import anchors
from .base import Penalty

if TYPE_CHECKING:
    from .elastic_net import ElasticNet as ElasticNet
    from .l1 import L1 as L1
    from .l2 import L2 as L2
    from .l2_sp import L2SP as L2SP

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


if not TYPE_CHECKING:
    __getattr__, __dir__ = catalogue.attributes(__name__, "penalty")
