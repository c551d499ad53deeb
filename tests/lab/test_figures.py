"""Figures of results: means over seeds and the spread of all of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from lab import made

from mainstem.lab import figures


def test_a_line_an_arm_over_the_places_of_its_cells():
    found = figures.over_cells(
        made(), "k", "t", "c", x="layers", value="loss", x_title="blocks", y_title="nats", log_x=True
    )
    assert [line.name for line in found.lines] == ["a", "b"]
    assert found.lines[0].points == [(1.0, pytest.approx(2.01))]
    assert found.bands[0].points == [(1.0, pytest.approx(2.0), pytest.approx(2.02))]
    assert [row[:2] for row in found.table.rows] == [["a", "1"], ["b", "2"]]


def test_a_curve_is_as_long_as_the_shortest_and_leaves_out_what_is_not_a_number():
    found = figures.over_curves(
        made(), "k", "t", "c", value="curve", x_title="layer", y_title="rms", cells={"A": "a", "B": "b"},
        places=lambda n: [float(i) for i in range(1, n + 1)],
    )  # fmt: skip
    assert found.lines[0].points == [(1.0, 1.0), (2.0, 3.0)]
    assert found.lines[1].points == [(1.0, 3.0)]
    assert found.bands[0].points[1] == (2.0, 2.0, 4.0)


@pytest.mark.parametrize(("length", "together"), [(60, 1), (61, 2), (605, 11)])
def test_a_long_curve_is_drawn_by_means_of_as_many_numbers_up_to_each_point(length, together):
    results = made()
    curve = [float(i % 7) for i in range(length)]
    results = replace(
        results, trials={cell: {seed: {**found, "curve": curve} for seed, found in seeds.items()}
                         for cell, seeds in results.trials.items()}
    )  # fmt: skip
    found = figures.over_curves(
        results, "k", "t", "Losses.", value="curve", x_title="step", y_title="nats", cells={"A": "a"},
        places=lambda n: [float(i) for i in range(1, n + 1)],
    )  # fmt: skip
    ends = [min(at + together, length) for at in range(0, length, together)]
    means = [sum(curve[max(0, end - together) : end]) / together for end in ends]
    assert [x for x, _ in found.lines[0].points] == ends
    assert [y for _, y in found.lines[0].points] == pytest.approx(means)
    assert len(ends) <= figures.MOST
    said = f"Losses. Each point is the mean of the {together} up to it."
    assert found.caption == ("Losses." if together == 1 else said)


def test_a_logarithmic_axis_takes_the_geometric_mean_of_what_is_positive():
    found = figures.spread(2.0, [1.0, 100.0, 0.0, math.nan, math.inf], log=True)
    assert found == pytest.approx((2.0, 10.0, 1.0, 100.0))
    assert figures.spread(2.0, [1.0, 100.0, math.nan]) == (2.0, 50.5, 1.0, 100.0)
    assert figures.spread(2.0, [-1.0, 0.0], log=True) is None


def test_more_arms_than_styles_begin_again():
    lines = {f"arm {i}": [(0.0, 1.0, 1.0, 1.0)] for i in range(8)}
    found = figures.drawn("k", "t", "c", lines, "x", "y")
    assert [line.style for line in found.lines] == [f"series{1 + i % 6}" for i in range(8)]


def curved(lengths):
    """Results whose seeds have curves of so many numbers, by cell."""
    results = made()
    trials = {
        cell: {
            seed: {**found, "curve": [1.0] * length} for (seed, found), length in zip(seeds.items(), of, strict=True)
        }
        for (cell, seeds), of in zip(results.trials.items(), lengths, strict=True)
    }
    return figures.over_curves(
        replace(results, trials=trials), "k", "t", "Losses.", value="curve", x_title="step", y_title="nats",
        cells={"A": "a", "B": "b"},
    )  # fmt: skip


def test_what_is_said_of_how_many_numbers_a_point_is_holds_for_all_lines():
    """A line of 40 was drawn as it is below a sentence on means of two."""
    found = curved([(120, 120, 120), (40, 40, 40)])
    assert found.caption == "Losses. Each point is the mean of the 2 up to it."
    assert [len(line.points) for line in found.lines] == [60, 20]


def test_a_line_that_ends_early_says_so():
    assert curved([(5, 3, 5), (5, 5, 5)]).caption == "Losses. A line ends where the first of its seeds does."
    assert curved([(3, 3, 3), (5, 5, 5)]).caption == "Losses."


def test_a_long_table_has_points_of_every_line_and_says_how_many():
    """The first three of ten lines filled it, and nothing was said of the others."""
    lines = {f"arm {i}": [(float(x), 1.0, 1.0, 1.0) for x in range(100)] for i in range(10)}
    table = figures.drawn("k", "t", "c", lines, "x", "y").table
    assert len(table.rows) <= figures.ROWS
    assert {row[0] for row in table.rows} == set(lines)
    assert [row[1] for row in table.rows if row[0] == "arm 9"][:: figures.ROWS // 10 - 1] == ["0", "99"]
    assert table.note.endswith(" 300 of 1,000 points.")
    assert figures.drawn("k", "t", "c", {"a": lines["arm 0"]}, "x", "y").table.note.endswith("largest of them.")


def test_a_seed_that_is_left_out_of_a_mean_is_named():
    """A mean of some seeds stood for that of all: of a gradient that is 0 a logarithmic axis shows nothing."""
    results = made()
    said = "c A seed is left out where it has no number that can be drawn."
    how = {"x": "layers", "value": "loss", "x_title": "blocks", "y_title": "nats"}
    assert figures.over_cells(results, "k", "t", "c", **how).caption == "c"
    results.trials["a"][1] = {**results.trials["a"][1], "loss": 0.0, "curve": [1.0, 0.0]}
    assert figures.over_cells(results, "k", "t", "c", **how).caption == "c"
    assert figures.over_cells(results, "k", "t", "c", **how, log=True).caption == said
    curves = {"value": "curve", "x_title": "layer", "y_title": "rms", "cells": {"A": "a"}}
    assert figures.over_curves(results, "k", "t", "c", **curves).caption == "c"
    assert figures.over_curves(results, "k", "t", "c", **curves, log=True).caption == said
