import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mainstem import counts


def draws(size, ahead=0.0, seed=0):
    draw = np.random.default_rng(seed)
    return -draw.gamma(2.0, 1.5, size) + ahead, -draw.gamma(2.0, 1.5, size)


@pytest.mark.parametrize("ahead", [-0.8, -0.2, 0.0, 0.5])
def test_the_share_is_the_maximum_that_a_general_search_finds(ahead):
    one, other = draws(500, ahead)
    found = counts.share(one, other)
    wanted = minimize_scalar(
        lambda w: -np.log(w * np.exp(one) + (1 - w) * np.exp(other)).sum(), bounds=(0, 1), options={"xatol": 1e-12}
    )
    assert 0.05 < found < 0.95
    assert found == pytest.approx(wanted.x, abs=1e-6)
    near = [counts.mix(one, other, found + step).sum() for step in (-1e-3, 0, 1e-3)]
    assert near[1] > near[0] and near[1] > near[2]


def test_the_share_is_where_expectation_maximisation_ends():
    one, other = draws(200)
    w = 0.5
    for _ in range(5000):
        w = float((w * np.exp(one) / (w * np.exp(one) + (1 - w) * np.exp(other))).mean())
    assert counts.share(one, other) == pytest.approx(w, abs=1e-9)


def test_a_model_that_is_better_everywhere_has_all_of_it():
    _, other = draws(50)
    assert counts.share(other - 1, other) == 0.0
    assert counts.share(other + 1, other) == 1.0
    assert counts.share(other, other) == 1.0
    assert counts.share(np.array([-1.0, -900.0]), np.array([-900.0, -1.0])) == pytest.approx(0.5)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9, 1.0])
def test_a_mixture_is_the_sum_of_probabilities(share):
    one, other = draws(30)
    np.testing.assert_allclose(
        counts.mix(one, other, share), np.log(share * np.exp(one) + (1 - share) * np.exp(other)), atol=1e-12
    )
    far = counts.mix(np.array([-2000.0]), np.array([-1.0]), share)
    assert np.isfinite(far).all()


def test_each_half_is_scored_with_the_share_of_the_other():
    one, other = draws(101)
    one[:50] += 1.2
    found = counts.crossed(one, other)
    first, second = counts.share(one[:50], other[:50]), counts.share(one[50:], other[50:])
    assert abs(first - second) > 0.02
    assert np.array_equal(found[:50], counts.mix(one[:50], other[:50], second))
    assert np.array_equal(found[50:], counts.mix(one[50:], other[50:], first))
    assert found.sum() < counts.mix(one, other, counts.share(one, other)).sum()
