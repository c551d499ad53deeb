"""Against closed forms, scipy's own paired t-test, and simulation."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from mainstem.lab import holm, paired, verdicts
from mainstem.lab.statistics import decided, smallest

numbers = st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=2, max_size=12).filter(lambda d: np.std(d) > 1e-3)


def test_a_worked_example():
    found = paired([-0.02, -0.01, -0.03, -0.015, -0.005], delta=0.0)
    error = found.sd / math.sqrt(5)
    assert found.mean == pytest.approx(-0.016)
    assert error == pytest.approx(0.00430116, abs=1e-8)
    assert found.mean / error == pytest.approx(-3.7199, abs=1e-4)
    assert found.p == pytest.approx(0.0205, abs=5e-5)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 10])
def test_the_smallest_detectable_effect_is_where_noncentral_t_has_its_power(n):
    differences = np.arange(n) - (n - 1) / 2
    found = paired(differences.tolist(), delta=0.0)
    centre = found.detectable / found.sd * math.sqrt(n)
    assert stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, centre) == pytest.approx(0.8, abs=1e-5)
    assert paired(differences.tolist(), delta=0.5).detectable == pytest.approx(found.detectable + 0.5)


@given(numbers)
def test_interval_and_p_are_those_of_scipy(differences):
    found, theirs = paired(differences, 0.0), stats.ttest_1samp(differences, 0.0)
    low, high = theirs.confidence_interval(0.95)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert found.p_beyond == pytest.approx(found.p)


@given(numbers, st.floats(0.01, 3))
def test_a_verdict_of_one_contrast_is_where_its_intervals_lie(differences, delta):
    found = paired(differences, delta)
    narrow = stats.ttest_1samp(differences, 0.0).confidence_interval(0.90)
    (verdict,) = verdicts([found], [+1])
    if found.low > delta:
        assert verdict == "supported"
    elif found.high < -delta:
        assert verdict == "refuted"
    elif -delta < narrow[0] and narrow[1] < delta:
        assert verdict == "no effect"
    else:
        assert verdict == "undecided"


def test_the_expected_sign_turns_support_into_refutation():
    found = paired([1.0, 1.1, 0.9, 1.05], 0.1)
    assert verdicts([found, found], [+1, -1]) == ["supported", "refuted"]


@pytest.mark.parametrize("differences", [[], [0.3], [0.1, math.nan, 0.2], [0.1, math.inf], [math.inf, -math.inf]])
def test_what_cannot_be_judged_is_undecided(differences):
    assert verdicts([paired(differences, 0.1)], [1]) == ["undecided"]


def test_pairs_that_are_all_the_same_are_certain():
    assert verdicts([paired([0.2] * 3, 0.1), paired([0.05] * 3, 0.1)], [1, 1]) == ["supported", "no effect"]


def test_holm_allows_for_the_number_of_contrasts():
    assert holm([0.01, 0.04, 0.03, math.nan])[:3] == [0.03, 0.06, 0.06]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    weak = paired([0.3, 0.5, 0.2, 0.45, 0.6], 0.1)  # p about 0.01 of lying within 0.1
    assert 0.005 < weak.p_beyond < 0.05
    assert verdicts([weak], [1]) == ["supported"]
    noise = [paired([0.3, -0.4, 0.1, -0.2, 0.3], 0.1)] * 9
    assert verdicts([weak, *noise], [1] * 10)[0] == "undecided"


def test_few_verdicts_about_nothing_find_something():
    """2,000 experiments of three contrasts each, without any effect: at most 5% may find one, all contrasts counted."""
    draws = np.random.default_rng(0).normal(size=(2000, 3, 5))
    found = sum(
        bool({"supported", "refuted"} & set(verdicts([paired(d.tolist(), 0.0) for d in three], [1] * 3)))
        for three in draws
    )
    assert found <= 0.05 * 2000 + 3 * math.sqrt(2000 * 0.05 * 0.95)
    assert found > 0.02 * 2000  # and the test can see some


@pytest.mark.parametrize(("n", "contrasts"), [(2, 1), (3, 1), (3, 5), (5, 3), (8, 4)])
def test_an_effect_as_large_as_the_smallest_detectable_is_found_four_times_in_five(n, contrasts):
    """By simulation. The other contrasts have nothing to be found, so that the one with an effect has Holm's bound."""
    rng, delta, times = np.random.default_rng(n * contrasts), 0.5, 600
    effect = smallest(n, 1.0, delta, contrasts)
    found = 0
    for draws in rng.normal(size=(times, contrasts, n)):
        differences = [draws[0] + effect, *draws[1:]]
        judged = verdicts([paired(d.tolist(), delta) for d in differences], [1] * contrasts)
        found += judged[0] == "supported"
    assert abs(found / times - 0.8) < 0.05  # three standard errors


STRONG = [3.0, 3.01, 3.02, 3.03, 3.04, 3.05]


@given(st.lists(numbers, min_size=1, max_size=5), st.floats(0.01, 3))
@example([*[STRONG] * 4, [-0.9, 0.8, 0.3, -0.2, 0.1, 0.0]], 0.7)  # within at 95%, but not at Holm's 98%
def test_the_interval_that_is_shown_is_the_one_that_the_verdict_goes_by(several, delta):
    found = [paired(differences, delta) for differences in several]
    said = verdicts(found, [+1] * len(found))
    for one, verdict in zip(decided(found, [delta] * len(found)), said, strict=True):
        if verdict == "supported":
            assert one.low > delta
        elif verdict == "refuted":
            assert one.high < -delta
        elif verdict == "no effect":
            assert -delta < one.low and one.high < delta
        else:
            assert one.low <= delta * (1 + 1e-9) and one.high >= -delta * (1 + 1e-9)
            assert one.low < -delta * (1 - 1e-9) or one.high > delta * (1 - 1e-9)


def test_intervals_of_many_contrasts_are_wider_and_so_is_what_they_detect():
    one = paired([0.3, 0.5, 0.2, 0.45, 0.6], 0.1)
    (alone,) = decided([one], [0.1])
    assert (alone.low, alone.high, alone.detectable) == pytest.approx((one.low, one.high, one.detectable))
    many = decided([one] * 5, [0.1] * 5)
    assert {each.level for each in many} == {0.99}
    theirs = stats.ttest_1samp([0.3, 0.5, 0.2, 0.45, 0.6], 0.0).confidence_interval(0.99)
    assert (many[0].low, many[0].high) == pytest.approx(tuple(theirs))
    assert many[0].detectable == pytest.approx(smallest(5, one.sd, 0.1, 5))
    assert many[0].detectable > one.detectable
    assert math.isnan(decided([paired([0.3], 0.1)], [0.1])[0].low)
