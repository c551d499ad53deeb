"""Penalties R(w) on the weights, as terms of the loss or as proximal steps; weight decay is a part of `optim`."""

from collections.abc import Sequence

from .. import catalogue
from ..config import PenaltyTerm
from .base import Penalty
from .elastic_net import ElasticNet
from .l1 import L1
from .l2 import L2

__all__ = ["L1", "L2", "ElasticNet", "Penalty", "make"]


def make(terms: Sequence[PenaltyTerm]) -> list[Penalty]:
    """Return the penalties that a configuration lists, in its order.

    >>> make([PenaltyTerm(name="l1", coef=1e-5, on="feedforward")])
    [L1(coef=1e-05, on='feedforward')]
    """
    return [catalogue.resolve("penalty", term.name)(term.coef, term.on) for term in terms]
