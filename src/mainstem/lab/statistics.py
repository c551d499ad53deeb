"""What paired differences show: an interval, the smallest effect that could have been seen, a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Verdict = Literal["supported", "refuted", "no effect", "undecided", "undecided: nothing learned yet"]

NOTHING: Verdict = "undecided: nothing learned yet"
"""Networks that know no more than how often each token occurs say nothing about what training brings."""

LEVEL = 0.05
"""Share of verdicts about nothing that may find something, over all contrasts of an experiment together."""

_POWER = 0.8


class Paired(NamedTuple):
    """Differences of pairs, in the unit of the measured value.

    `low` and `high` are the ends of the interval of the mean at `level`, `detectable` the smallest true mean that as
    many pairs find with a probability of 0.8, `p_beyond` and `p_within` the probabilities behind the verdict.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p: float
    p_beyond: float
    p_within: float
    detectable: float
    level: float = 0.95


def paired(differences: Sequence[float], delta: float) -> Paired:
    """Return the statistics of paired `differences`, `delta` being the smallest effect of interest.

    Interval: ``mean +- t(.975, n-1) s / sqrt n``. ``p``: two-sided, of no difference. ``p_beyond``: two-sided, of a
    mean within +-delta, so that it is below .05 exactly where the 95% interval lies beyond delta. ``p_within``: the
    larger of the two one-sided tests of a mean beyond +-delta, below .05 exactly where the 90% interval lies inside.
    `detectable` is `smallest` for one contrast. Fewer than two pairs, or one that is not finite, show nothing:
    everything but n and mean is nan, and the mean too where one is not finite.

    Example:
        >>> found = paired([-0.02, -0.01, -0.03, -0.015, -0.005], delta=0.0)
        >>> round(found.mean, 4), round(found.p, 4), round(found.high, 4)
        (-0.016, 0.0205, -0.0041)

        Source: the paired t-test (Student 1908); two one-sided tests (Schuirmann 1987).
    """
    n = len(differences)
    mean = math.fsum(differences) / n if n and all(map(math.isfinite, differences)) else math.nan
    if n < 2 or not math.isfinite(mean):
        return Paired(n, mean, *[math.nan] * 7)
    from scipy.special import stdtr, stdtrit

    sd = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1))
    error = sd / math.sqrt(n)
    wide = float(stdtrit(n - 1, 0.975)) * error

    def above(bound: float) -> float:
        """Probability of a mean as large as this one if the true one were `bound`."""
        if error == 0:
            return 0.0 if mean > bound else 1.0
        return float(stdtr(n - 1, (bound - mean) / error))

    def below(bound: float) -> float:
        if error == 0:
            return 0.0 if mean < bound else 1.0
        return float(stdtr(n - 1, (mean - bound) / error))

    return Paired(
        n, mean, sd, mean - wide, mean + wide, min(1.0, 2 * min(above(0.0), below(0.0))),
        min(1.0, 2 * min(above(delta), below(-delta))), max(above(-delta), below(delta)),
        smallest(n, sd, delta),
    )  # fmt: skip


def smallest(n: int, sd: float, delta: float, contrasts: int = 1) -> float:
    """Return the smallest true mean that `n` pairs find beyond `delta` with a probability of 0.8, among `contrasts`.

    Formula:
        ``delta + c sd / sqrt n``, where noncentral t with n - 1 degrees of freedom and centre c is above
        ``t(1 - .025 / m, n - 1)`` with probability 0.8: about ``t(1 - .025 / m) + t(.8)``, and more for few pairs.
        That is Holm's bound for the smallest probability of m; contrasts that come after it are found more easily.

    Example:
        >>> round(smallest(8, 1.0, 0.0), 2), round(smallest(3, 1.0, 0.0, contrasts=5), 2)
        (1.16, 7.32)

        Source: Johnson and Welch 1940 (noncentral t); Holm 1979.
    """
    from scipy.special import nctdtrinc, stdtrit

    bound = float(stdtrit(n - 1, 1 - LEVEL / 2 / contrasts))
    return delta + float(nctdtrinc(n - 1, 1 - _POWER, bound)) * sd / math.sqrt(n)


def decided(found: Sequence[Paired], deltas: Sequence[float]) -> list[Paired]:
    """Return the statistics of contrasts with the intervals that `verdicts` goes by, and what so many of them detect.

    Each of the two probabilities stands for as many as Holm's method multiplies it by, k. So the interval is at
    ``1 - .05 / k`` where it is beyond the smallest effect of interest or undecided, and at ``1 - .1 / k`` where it lies
    within; the latter, which is wider then, also where an undecided one would lie within at the former. The interval
    is beyond, or within, exactly where the verdict says so.

    Example:
        >>> one = paired([-0.02, -0.01, -0.03, -0.015, -0.005], delta=0.001)
        >>> [round(each.level, 3) for each in decided([one, one], [0.001, 0.001])]
        [0.975, 0.975]
    """
    from scipy.special import stdtrit

    beyond, within = _factors([one.p_beyond for one in found]), _factors([one.p_within for one in found])
    judged, count = [], sum(not math.isnan(one.p) for one in found)
    for one, delta, outside, inside in zip(found, deltas, beyond, within, strict=True):
        if math.isnan(one.p):
            judged.append(one)
            continue
        far, near = LEVEL / outside, 2 * LEVEL / inside
        is_beyond, is_within = one.p_beyond * outside < LEVEL, one.p_within < max(far, near) / 2
        level = 1 - (near if is_within and not is_beyond else far)
        wide = float(stdtrit(one.n - 1, (1 + level) / 2)) * one.sd / math.sqrt(one.n)
        least = smallest(one.n, one.sd, delta, count)
        judged.append(one._replace(low=one.mean - wide, high=one.mean + wide, level=level, detectable=least))
    return judged


def holm(ps: Sequence[float]) -> list[float]:
    """Return the probabilities adjusted for being `len(ps)` together; nan stays nan and does not count.

    In order of size, ``p_(i)`` becomes the largest of ``(m - j + 1) p_(j)`` for ``j <= i``, at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

        Source: Holm 1979.
    """
    return [p if math.isnan(p) else min(1.0, p * factor) for p, factor in zip(ps, _factors(ps), strict=True)]


def _factors(ps: Sequence[float]) -> list[float]:
    """Return what Holm's method multiplies each probability by: ``max_{j <= i} (m - j + 1) p_(j) / p_(i)``."""
    order = sorted((i for i, p in enumerate(ps) if not math.isnan(p)), key=lambda i: ps[i])
    found, largest = [math.nan] * len(ps), 0.0
    for rank, i in enumerate(order):
        own = float(len(order) - rank)
        largest = max(largest, own * ps[i])
        found[i] = largest / ps[i] if ps[i] > 0 else own
    return found


def verdicts(found: Sequence[Paired], expected: Sequence[int]) -> list[Verdict]:
    """Return what each contrast of an experiment shows, their number allowed for by Holm's method.

    Beyond the smallest effect of interest: supported where the sign is the expected one, else refuted. Inside it: no
    effect. Anything else is undecided.
    """
    beyond, within = holm([one.p_beyond for one in found]), holm([one.p_within for one in found])
    return [
        ("supported" if one.mean * sign > 0 else "refuted") if p < LEVEL else "no effect" if q < LEVEL else "undecided"
        for one, sign, p, q in zip(found, expected, beyond, within, strict=True)
    ]
