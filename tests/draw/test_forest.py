"""A forest plot's places are its numbers, on one axis that holds all of them."""

from __future__ import annotations

import math

import pytest

from mainstem.draw.forest import Forest, Interval, view

ROWS = [
    Interval("wide", -1.0, -3.0, 1.0, "supported", region=(-0.5, 0.5)),
    Interval("alone", 2.0),
    Interval("none", math.nan, -9e9, math.inf),
]
FOREST = Forest("k", "Title", "caption", "nats", ROWS)


def test_values_and_ends_are_drawn_where_the_axis_has_them() -> None:
    scale, drawn = FOREST.scale, view(FOREST)
    for row, item in zip(ROWS[:2], drawn["rows"], strict=False):
        assert item["at"] == pytest.approx(100 * (row.value - scale.low) / (scale.high - scale.low), abs=0.01)
    low, high = drawn["rows"][0]["ends"]
    assert [scale.low + x / 100 * (scale.high - scale.low) for x in (low, high)] == pytest.approx([-3, 1], abs=0.01)
    left, right = drawn["rows"][0]["region"]
    assert (left + right) / 2 == pytest.approx(drawn["rule"], abs=0.01)
    assert {label: place for place, label in drawn["x_ticks"]}["0"] == drawn["rule"]


def test_what_is_not_known_is_not_drawn() -> None:
    _, alone, none = view(FOREST)["rows"]
    assert (alone["ends"], alone["region"], alone["text"]) == (None, None, "2")
    assert (none["at"], none["ends"], none["text"]) == (None, None, "no number")


def test_the_axis_holds_every_row_and_the_rule() -> None:
    assert view(Forest("k", "T", "", "nats", [Interval("a", 5.0, 4.0, 6.0)]))["rule"] >= 0
    assert view(Forest("k", "T", "", "nats", [Interval("a", 5.0, 4.0, 6.0)], rule=None))["rule"] is None
    region = Forest("k", "T", "", "nats", [Interval("a", 0.01, region=(-2.0, 2.0))]).scale
    assert region.low < -2.0 < 2.0 < region.high
    assert view(Forest("k", "T", "", "nats", []))["rows"] == []


def test_text_and_table_have_the_numbers() -> None:
    assert view(FOREST)["rows"][0]["text"] == "-1 (-3 to 1)"
    assert FOREST.table.rows[0] == ["wide", "-1", "-3", "1", "supported"]
    assert FOREST.table.rows[2] == ["none", "", "", "", ""]


def test_a_row_in_another_unit_than_its_own_is_written_in_its_own() -> None:
    row = Interval("a", -3.0, -4.0, -2.0, "refuted", shown=(0.06, 0.04, 0.08), unit="nats per byte")
    forest = Forest("k", "T", "", "smallest effects of interest", [row])
    assert view(forest)["rows"][0]["text"] == "0.06 nats per byte (0.04 to 0.08)"
    assert forest.table.rows == [["a", "0.06", "0.04", "0.08", "nats per byte", "refuted"]]
    assert forest.scale.place(-3.0) == pytest.approx(view(forest)["rows"][0]["at"] / 100, abs=1e-4)
    chinese = {"nats per byte": "奈特", "VALUE (LOW to HIGH)": "VALUE（LOW 至 HIGH）"}
    said = view(forest, chinese.get)["rows"][0]["text"]  # type: ignore[arg-type]
    assert said == "0.06 奈特（0.04 至 0.08）"
