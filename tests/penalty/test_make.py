"""The penalties that a configuration lists. Mirrors penalty/__init__.py."""

from mainstem import penalty
from mainstem.config import PenaltyTerm


def test_terms_become_penalties_in_their_order():
    terms = [PenaltyTerm(name="l2", coef=0.5), PenaltyTerm(name="l1", coef=1e-5, on="feedforward")]
    assert penalty.make(terms) == [penalty.L2(0.5), penalty.L1(1e-5, on="feedforward")]
    assert penalty.make([]) == []
