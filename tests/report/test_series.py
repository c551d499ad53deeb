"""A curve of any length in bounded memory, against the same numbers kept whole."""

from __future__ import annotations

import random

import pytest

from mainstem.report.series import Series


@pytest.mark.parametrize("rows", [1, 3, 8, 9, 1000, 4097])
def test_bins_cover_every_row_once_with_exact_extremes(rows: int) -> None:
    draw = random.Random(rows)
    values = [draw.uniform(-5, 5) for _ in range(rows)]
    series = Series(capacity=8)
    for x, value in enumerate(values):
        series.add(x, {"a": value})
    assert series.rows == sum(bin.rows for bin in series) == rows
    assert len(series) <= 8
    start = 0
    for bin in series:
        part = values[start : start + bin.rows]
        assert bin.low("a") == min(part)
        assert bin.high("a") == max(part)
        assert bin.mean("a") == pytest.approx(sum(part) / len(part))
        assert bin.x == pytest.approx(start + (len(part) - 1) / 2)
        start += bin.rows


def test_a_short_curve_is_kept_as_it_is() -> None:
    series = Series(capacity=8)
    for x in range(8):
        series.add(x, {"a": x / 10})
    assert series.points("a") == [(x, x / 10) for x in range(8)]


def test_a_column_may_be_missing_in_some_rows() -> None:
    series = Series(capacity=2)
    for x in range(5):
        series.add(x, {"a": 1.0} if x % 2 else {"b": 2.0})
    assert [bin.columns["a"][0] for bin in series if "a" in bin.columns] == [2]
    assert series.points("c") == []
    assert all(bin.low("c") is None and bin.high("c") is None for bin in series)


def test_an_odd_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="even capacity, not 7"):
        Series(capacity=7)
