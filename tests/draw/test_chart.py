"""Where a figure's curves, ticks and names are drawn."""

from __future__ import annotations

import re

import pytest

from mainstem.draw.chart import Axis, Band, Figure, Line, Mark, Rule, of_names, view
from mainstem.draw.scale import Scale
from mainstem.draw.table import Table

X, Y = Axis("step", Scale(0, 10), whole=True), Axis("loss", Scale(1, 3))
TABLE = Table("t", ["step"], [])


def figure(**parts: object) -> Figure:
    return Figure("k", "Title", "caption", X, Y, TABLE, **parts)  # type: ignore[arg-type]


def test_a_line_is_drawn_at_its_numbers() -> None:
    drawn = view(figure(lines=[Line("a", [(0, 3), (5, 2), (10, 1)], "held")]))
    assert drawn["lines"][0][1] == "M0.0 0.0L500.0 150.0L1000.0 300.0"
    assert drawn["data"]["lines"] == [{"name": "a", "style": "held", "x": [0, 5, 10], "y": [3, 2, 1]}]


def test_one_point_is_a_dot() -> None:
    drawn = view(figure(lines=[Line("a", [(5, 2)], "held")]))
    assert drawn["lines"][0][1:] == ("", "M500.0 150.0h0", "")


def test_a_band_goes_along_its_top_and_back_along_its_bottom() -> None:
    drawn = view(figure(bands=[Band("gap", [(0, 1, 3), (10, 2, 3)], "gap")]))
    assert drawn["bands"][0][1] == "M0.0 0.0L1000.0 0.0L1000.0 150.0L0.0 300.0Z"


def test_what_lies_far_outside_is_cut_near_the_figure() -> None:
    drawn = view(figure(lines=[Line("a", [(0, 1e9), (10, -1e9)], "held")], marks=[Mark("m", 5, 2)]))
    numbers = [abs(float(n)) for n in re.findall(r"-?[\d.]+", drawn["lines"][0][1])]
    assert max(numbers) <= 1200
    assert drawn["marks"][0][1] == "M500.0 150.0h0"


def test_neighbouring_rules_have_their_names_on_different_sides() -> None:
    drawn = view(figure(rules=[Rule("c", 2.0, "s"), Rule("a", 2.9, "s"), Rule("b", 2.05, "s"), Rule("off", 9, "s")]))
    assert [(item["rule"].name, item["right"]) for item in drawn["rules"]] == [("a", True), ("b", False), ("c", True)]
    assert drawn["rules"][0]["dy"] == 14
    assert drawn["rules"][2]["y"] == 50.0


@pytest.mark.parametrize("at", [1.0, 1.05, 2.0, 2.95, 3.0])
def test_names_of_rules_that_are_near_do_not_collide(at: float) -> None:
    rules = view(figure(rules=[Rule(name, at, "s") for name in "abcd"]))["rules"]
    bases = [(item["right"], item["y"] / 100 * 220 + item["dy"]) for item in rules]
    assert all(14 <= base <= 220 for _, base in bases)
    for number, (right, base) in enumerate(bases):
        assert all(right != other or abs(base - near) >= 14 for other, near in bases[:number])


def test_the_right_axis_has_ticks_that_are_round_in_its_own_unit() -> None:
    drawn = view(figure(right=Axis("bits", Y.scale, factor=2.0)))
    assert drawn["y_ticks"][0] == (100.0, "1.0")
    assert drawn["right_ticks"] == [(100.0, "2"), (75.0, "3"), (50.0, "4"), (25.0, "5"), (0.0, "6")]


def test_hidden_lines_are_under_the_pointer_only() -> None:
    drawn = view(figure(lines=[Line("penalty", [(0, 1), (10, 1)], "seen", shown=False), Line("none", [], "seen")]))
    assert [line.name for line, *_ in drawn["lines"]] == ["none"]
    assert [line["name"] for line in drawn["data"]["lines"]] == ["penalty"]


@pytest.mark.parametrize("log", [False, True])
def test_x_places_are_percent(log: bool) -> None:
    axis = Axis("x", Scale(1, 100, log))
    drawn = view(Figure("k", "T", "c", axis, Y, TABLE))
    assert all(0 <= place <= 100 for place, _ in drawn["x_ticks"])


def test_a_logarithmic_axis_that_counts_has_ticks_where_the_curves_have_points() -> None:
    axis = Axis("layers", Scale(3, 40, log=True), whole=True)

    def ticks(xs: list[float]) -> list[str]:
        line = Line("a", [(x, 2.0) for x in xs], "series1")
        return [label for _, label in view(Figure("k", "T", "c", axis, Y, TABLE, lines=[line]))["x_ticks"]]

    assert ticks([6, 12, 24]) == ["6", "12", "24"]
    assert ticks([4, 5, 6, 36]) == ["4", "6", "36"], "5 has no room"
    assert ticks([float(x) for x in range(4, 36)]) == ["4", "8", "16", "32"]


def test_the_pointer_is_told_what_kind_of_axis_it_is_on() -> None:
    assert view(figure())["data"]["whole"] is True
    assert view(Figure("k", "T", "c", Axis("x", Scale(1, 9, log=True)), Y, TABLE))["data"] == {
        "x": [1, 9, True], "y": [1, 3, False], "title": "x", "whole": False, "names": [], "lines": []
    }  # fmt: skip


def test_an_axis_of_names_has_one_tick_a_name_points_side_by_side_and_nothing_between() -> None:
    axis = of_names("place", ["none", "weights", "both"])
    lines = [Line(arm, [(0, 3), (1, 2), (2, 1)], f"series{i}", spread=[(0, 2.5, 3)]) for i, arm in enumerate("ab", 1)]
    drawn = view(Figure("k", "T", "c", axis, Y, TABLE, lines=lines))
    assert [label for _, label in drawn["x_ticks"]] == ["none", "weights", "both"]
    assert [place for place, _ in drawn["x_ticks"]] == pytest.approx([100 / 6, 50, 500 / 6], abs=0.01)
    (_, path, left, bar), (_, _, right, _) = drawn["lines"]
    assert path == ""
    firsts = [float(re.findall(r"-?[\d.]+", dots)[0]) for dots in (left, right)]
    assert sum(firsts) / 2 == pytest.approx(1000 / 6, abs=0.1) and firsts[1] - firsts[0] > 20
    assert [float(n) for n in re.findall(r"-?[\d.]+", bar)] == [firsts[0], 75.0, 0.0]
    assert drawn["data"]["names"] == ["none", "weights", "both"] and drawn["data"]["lines"][0]["x"] == [0, 1, 2]
    assert drawn["beside"] is None


def test_names_stand_where_their_lines_end_and_keep_apart() -> None:
    ends = {"low": 1.0, "near": 1.05, "high": 3.0}
    drawn = view(figure(lines=[Line(name, [(0, 2), (10, y)], "series1") for name, y in ends.items()]))
    names = {name: place for name, _, place in drawn["beside"].names}
    assert names["high"] == 0.0
    assert names["near"] < names["low"] <= 100 and names["low"] - names["near"] >= 7.5
    assert view(figure(lines=[Line("alone", [(0, 1)], "series1")]))["beside"] is None


def test_every_text_is_put_as_the_reader_has_it() -> None:
    figures = figure(lines=[Line("a", [(0, 1), (10, 2)], "series1"), Line("b", [(0, 1), (10, 3)], "series2")])
    drawn = view(figures, lambda text: f"<{text}>")
    assert [line["name"] for line in drawn["data"]["lines"]] == ["<a>", "<b>"]
    assert drawn["data"]["title"] == "<step>"
    assert [name for name, *_ in drawn["beside"].names] == ["<b>", "<a>"]


def test_times_stand_at_their_steps_where_there_is_room() -> None:
    drawn = view(figure(times=[(1.0, "10 s"), (1.5, "20 s"), (5.0, "1 min")]))
    assert drawn["times"] == [(10.0, "10 s"), (50.0, "1 min")]


def test_steps_under_the_pointer_keep_all_their_digits() -> None:
    axis = Axis("step", Scale(0.0, 2e6), whole=True)
    figure = Figure("k", "t", "c", axis, Axis("y", Scale(0.0, 1.0)), Table("t", [], []),
                    lines=[Line("a", [(1234567.0, 0.123456789)], "series1")])  # fmt: skip
    (line,) = view(figure)["data"]["lines"]
    assert (line["x"], line["y"]) == ([1234567.0], [0.12346])


@pytest.mark.parametrize("many", [1, 8, 16])
def test_points_over_names_are_nearest_to_their_own_name_however_many_lines_there_are(many: int) -> None:
    axis = of_names("seed", ["0", "1", "2"])
    lines = [Line(f"arm {i}", [(0, 3), (1, 2), (2, 1)], "series1") for i in range(many)]
    drawn = view(Figure("k", "T", "c", axis, Y, TABLE, lines=lines))
    ticks = [10 * place for place, _ in drawn["x_ticks"]]
    for _, _, dots, _ in drawn["lines"]:
        places = [float(x) for x in re.findall(r"M(-?[\d.]+)", dots)]
        assert [min(ticks, key=lambda tick: abs(tick - x)) for x in places] == ticks
        assert all(0 < x < 1000 for x in places)
