"""Names beside curves: as near to their ends as keeps them apart."""

from __future__ import annotations

import itertools

import pytest

from mainstem.draw.beside import beside


@pytest.mark.parametrize("ends", [[0.0, 0.0, 0.0], [99.0, 99.5, 100.0], [50.0, 51.0, 52.0], [10.0, 10.0, 14.0, 90.0]])
def test_names_keep_apart_and_within_the_plot(ends: list[float]) -> None:
    found = beside([(f"n{i}", "series1", end) for i, end in enumerate(ends)])
    assert found is not None
    places = [place for *_, place in found.names]
    assert all(b - a >= 7.49 for a, b in itertools.pairwise(places))
    assert 0 <= places[0] and places[-1] <= 100


def test_a_cluster_stays_around_its_own_middle() -> None:
    found = beside([(str(i), "series1", 50.0 + i) for i in range(3)])
    assert found is not None
    assert [place for *_, place in found.names] == pytest.approx([43.5, 51.0, 58.5])


def test_names_that_find_no_room_are_left_to_the_legend() -> None:
    short, long = (beside([("a" * letters, "series1", 1.0)]) for letters in (8, 25))
    assert short is not None and long is not None and (short.wide, long.wide) == (False, True)
    assert beside([("a" * 60, "series1", 1.0)]) is None
    assert beside([("頂" * 16, "series1", 1.0)]) is None
    assert beside([(str(i), "series1", float(i)) for i in range(20)]) is None
    assert beside([("a", "series1", float("nan"))]) is None
