"""Penalties on the weights as terms of the loss; decay, a part of the update, belongs to `optim`.

May import torch, `errors`, `config` and `optim`.
"""

from collections.abc import Sequence

from ..config import PenaltyTerm
from .l1 import L1
from .l2 import L2

__all__ = ["L1", "L2", "make"]


def make(terms: Sequence[PenaltyTerm]) -> list[L1 | L2]:
    """Return the penalties that a configuration lists, in its order.

    >>> make([PenaltyTerm(name="l1", coef=1e-5, on="feedforward")])
    [L1(coef=1e-05, on='feedforward')]
    """
    kinds: dict[str, type[L1] | type[L2]] = {"l1": L1, "l2": L2}
    return [kinds[term.name](term.coef, term.on) for term in terms]
