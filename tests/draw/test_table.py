"""Tables of curves."""

from mainstem.draw.table import of_points


def test_long_tables_are_thinned_and_say_so() -> None:
    found = of_points("t", ["step", "y"], [{x: float(x) for x in range(1000)}])
    assert len(found.rows) == 60
    assert (found.rows[0][0], found.rows[-1][0]) == ("0", "999")
    assert found.note == "60 of 1,000 points; metrics.jsonl has every step."
    other = of_points("t", ["step", "y"], [{x: float(x) for x in range(1000)}], "another file has all")
    assert other.note == "60 of 1,000 points; another file has all."
