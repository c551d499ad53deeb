"""What a step costs, and the speed of a machine from two of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.choice import Shape, Speed, fitted, seconds

SMALL, LARGE = Shape(4, 128, 128, 16, 4096), Shape(4, 256, 128, 16, 4096)


@given(st.floats(0.3, 3), st.floats(0.1, 10))
def test_the_speed_that_two_steps_were_made_with_is_found_again(ratio: float, scale: float) -> None:
    speed = Speed(scale, scale * ratio)
    found = fitted([(shape, seconds(shape, speed)) for shape in (SMALL, LARGE)])
    assert found.passes == pytest.approx(speed.passes, rel=1e-6)
    assert found.products == pytest.approx(speed.products, rel=1e-6)


@given(st.floats(1e-4, 10), st.floats(1e-4, 10))
def test_whatever_was_timed_a_step_takes_time(first: float, second: float) -> None:
    found = fitted([(SMALL, first), (LARGE, second)])
    assert found.passes > 0
    assert found.products > 0
    assert seconds(SMALL, found) < seconds(LARGE, found)


def test_times_that_tell_nothing_apart_give_one_ratio() -> None:
    both = [(SMALL, 10 * seconds(SMALL, Speed())), (LARGE, seconds(LARGE, Speed()))]  # slower where it is smaller
    found = fitted(both)
    assert found.passes == found.products
    assert sum(seconds(shape, found) for shape, _ in both) == pytest.approx(sum(took for _, took in both))
    same = fitted([(SMALL, 0.5), (SMALL, 0.5)])
    assert seconds(SMALL, same) == pytest.approx(0.5)


@given(st.integers(0, 5), st.integers(1, 8))
def test_more_of_anything_takes_longer(field: int, more: int) -> None:
    larger = SMALL._replace(**{SMALL._fields[field]: SMALL[field] + more})
    assert seconds(larger, Speed()) > seconds(SMALL, Speed())
    assert seconds(SMALL, Speed(2.0, 1.0)) > seconds(SMALL, Speed()) < seconds(SMALL, Speed(1.0, 2.0))


def test_parameters_and_tokens() -> None:
    assert SMALL.tokens == 2048
    assert SMALL.parameters == 4 * 12 * 128**2 + 4096 * 128
    assert SMALL._replace(members=3).parameters == 3 * SMALL.parameters
    assert seconds(SMALL._replace(members=3), Speed(2.0, 0.5)) == pytest.approx(3 * seconds(SMALL, Speed(2.0, 0.5)))


ROWS = Path(__file__).parents[2] / "benchmarks" / "results" / "cost.csv"


def test_the_table_is_that_of_the_measured_steps() -> None:
    with ROWS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["also"]]
    assert len(rows) > 15
    for row in rows:
        layers, width, vocabulary, context, tokens = (
            int(row[name]) for name in ("layers", "width", "vocabulary", "context", "tokens")
        )
        shape = Shape(layers, width, context, tokens // context, vocabulary)
        assert seconds(shape, Speed()) == pytest.approx(float(row["ms"]) / 1e3, rel=0.12)
