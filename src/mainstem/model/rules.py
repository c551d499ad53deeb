"""How large initial weights are: the rules by which a configuration may name them, one function each.

(role, (rows, columns), N) -> standard deviation, of which 0 means zeros. N is the number of sublayers of the model.
Roles have a dot where a matrix is part of a sublayer; embeddings, positions and heads have 0.02 under all of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Rule = Callable[[str, tuple[int, int], int], float]

OUTPUTS = frozenset({"attention.out", "feedforward.out"})
"""The roles of what a sublayer writes by."""


def normal(role: str, shape: tuple[int, int], sublayers: int) -> float:
    """N(0, 0.02^2)."""
    return 0.02


def gpt2(role: str, shape: tuple[int, int], sublayers: int) -> float:
    """N(0, 0.02^2), output projections divided by sqrt(N).

    Source:
        Radford et al. 2019, section 2.3.
        Read: code (karpathy/nanoGPT).
        Differs: no.
    """
    return 0.02 / math.sqrt(sublayers) if role in OUTPUTS else 0.02


def zero(role: str, shape: tuple[int, int], sublayers: int) -> float:
    """Output projections 0, other matrices N(0, 1 / columns).

    Source:
        nanochat (2026), whose output projections start at 0.
        Read: code (karpathy/nanochat).
        Differs: the other matrices.
    """
    if role in OUTPUTS:
        return 0.0
    return shape[1] ** -0.5 if "." in role else 0.02


def xavier(role: str, shape: tuple[int, int], sublayers: int) -> float:
    """N(0, 2 / (rows + columns)).

    Source:
        Glorot and Bengio 2010, equation 16, as a normal distribution.
        Read: nothing of the original.
        Differs: a normal distribution in place of the uniform one.
    """
    return math.sqrt(2.0 / (shape[0] + shape[1])) if "." in role else 0.02
