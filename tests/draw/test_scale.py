"""Axes: every tick within, round, told apart by its label, for any range."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstem.draw.scale import Scale, around, labels

ranges = st.tuples(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9)).filter(lambda r: r[1] > 1e-6 * abs(r[0]))


@given(ranges, st.booleans())
@example((1e-9, 1e-6), True)
def test_ticks_of_any_linear_axis_lie_within_and_differ(given_range: tuple[float, float], whole: bool) -> None:
    low, span = given_range
    scale = Scale(low, low + span)
    ticks = scale.ticks(5, whole)
    room = 1e-6 * span
    assert len(ticks) <= 8
    assert all(low - room <= tick <= low + span + room for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert len(ticks) >= (0 if whole else 2)
    if whole:
        assert all(tick % 1 == 0 for tick in ticks)


@given(st.floats(1e-12, 1e12), st.floats(1.3, 1e15))
def test_ticks_of_any_logarithmic_axis_lie_within_and_differ(low: float, ratio: float) -> None:
    scale = Scale(low, low * ratio, log=True)
    ticks = scale.ticks(5)
    assert 1 <= len(ticks) <= 10
    assert all(-1e-6 <= scale.place(tick) <= 1 + 1e-6 for tick in ticks)
    assert len(set(labels(ticks, log=True))) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 2000, ["0", "500", "1,000", "1,500", "2,000"]),
        (0, 1_000_000, ["0", "200k", "400k", "600k", "800k", "1M"]),
        (1.31, 1.52, ["1.35", "1.40", "1.45", "1.50"]),
        (12_340, 12_360, ["12,340", "12,345", "12,350", "12,355", "12,360"]),
        (100_000, 112_500, ["100,000", "102,500", "105,000", "107,500", "110,000", "112,500"]),
        (123_456_790, 123_456_798, ["123,456,790", "123,456,792", "123,456,794", "123,456,796", "123,456,798"]),
        (0.001, 0.001001, ["1e-3", "1.0002e-3", "1.0004e-3", "1.0006e-3", "1.0008e-3", "1.001e-3"]),
        (0, 0.001, ["0", "2e-4", "4e-4", "6e-4", "8e-4", "1e-3"]),
    ],
)
def test_labels_of_known_axes(low: float, high: float, expected: list[str]) -> None:
    assert labels(Scale(low, high).ticks(5)) == expected


@given(st.floats(-8, 12), st.floats(-8.9, 2))
@example(math.log10(0.005), math.log10(1.5e-9))
def test_labels_around_any_two_values_differ(power: float, apart: float) -> None:
    ticks = around([10**power, 10**power * (1 + 10**apart)]).ticks()
    assert len(set(labels(ticks))) == len(ticks)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=5))
def test_an_axis_holds_its_values(values: list[float]) -> None:
    scale = around(values)
    assert scale.high > scale.low
    assert all(-1e-9 <= scale.place(value) <= 1 + 1e-9 for value in values)
    zero = around(values, zero=True)
    assert zero.low <= 0 <= zero.high or math.isclose(zero.high, 0, abs_tol=1e-9)


def test_a_logarithmic_axis_holds_positive_values_and_forgives_zero() -> None:
    scale = around([0.0, 1e-8, 1.0], log=True)
    assert scale.low < 1e-8 < 1.0 < scale.high
    assert around([0.0], log=True).ticks()
    assert around([1e-310, 2e-310], log=True).ticks()
