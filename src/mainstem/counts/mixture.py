"""Two models of one text as one, by a single share: log(w p + (1 - w) q).

Shapes: N tokens that both have scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]

_HALVINGS = 60
"""After so many the interval of the share is narrower than a float64 near 1 can tell."""


def mix(one: NDArray[Any], other: NDArray[Any], share: float) -> Logs:
    """Return the natural logarithms of ``share p + (1 - share) q`` from those of p and q.

    Formula:
        ``log(w exp(one) + (1 - w) exp(other))``, without overflow; a share of 0 or 1 is one of the two alone.

    Shapes:
        one, other: [N], or any shape that both have; returned: the same, float64.

    Source:
        Linear interpolation of language models: Jelinek and Mercer 1980, Interpolated estimation of Markov source
        parameters from sparse data.

    Example:
        >>> mix(np.log([0.5]), np.log([0.1]), 0.75)
        array([-0.91629073])
    """
    if share in (0, 1):
        return np.array(one if share else other, np.float64)
    return np.logaddexp(np.asarray(one, np.float64) + np.log(share), np.asarray(other, np.float64) + np.log1p(-share))


def share(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the share of the first model with which the mixture of both finds the tokens likeliest.

    Formula:
        ``argmax_w sum_n log(w p_n + (1 - w) q_n)`` over [0, 1]. Each term is the logarithm of an affine function of w,
        so the sum is concave and its slope ``sum_n (p_n - q_n) / (w p_n + (1 - w) q_n)`` falls: the share is where
        that is 0, or an end of the interval, found by halving.

    Args:
        one: natural logarithms of the probabilities p of the tokens.
        other: those of q.

    Shapes:
        one, other: [N].

    Returns:
        The share, from 0 to 1; 1 where both models are the same.

    Source:
        The maximum that expectation-maximisation comes to (Dempster, Laird and Rubin 1977, Maximum likelihood from
        incomplete data via the EM algorithm, section 4.3), without its slow last steps.

    Example:
        >>> round(share(np.log([0.5, 0.1]), np.log([0.1, 0.5])), 6)
        0.5
    """
    # r = smaller / larger of the two probabilities, which cannot overflow: the slope is a sum of (1 - r) / ... terms.
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    ratio, sign = np.exp(-np.abs(difference)), np.sign(difference)
    ahead = difference >= 0

    def slope(w: float) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = sign * (1 - ratio) / np.where(ahead, w + (1 - w) * ratio, w * ratio + (1 - w))
        return float(np.where(sign == 0, 0.0, found).sum())

    low, high = 0.0, 1.0
    if slope(1.0) >= 0:
        return 1.0
    if slope(0.0) <= 0:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2


def crossed(one: NDArray[Any], other: NDArray[Any]) -> Logs:
    """Return what `mix` does, each half of the tokens with the share that fits the other half best.

    So no token has a say in the share that it is scored with, and the mean is what other text like this may expect.

    Shapes:
        one, other: [N], in the order of the text; returned: [N].

    Example:
        >>> crossed(np.log([0.5, 0.1]), np.log([0.1, 0.5])).round(2)
        array([-2.3, -2.3])
    """
    middle = len(one) // 2
    halves = slice(None, middle), slice(middle, None)
    return np.concatenate([
        mix(one[here], other[here], share(one[there], other[there]))
        for here, there in (halves, halves[::-1])
    ])  # fmt: skip
