"""An arm has one style, whatever figure it stands in."""

from __future__ import annotations

import json
from pathlib import Path

from mainstem import catalogue
from mainstem.draw.chart import Figure
from mainstem.lab.arms import styles
from mainstem.lab.result import from_json

STORED = Path(__file__).parents[2] / "docs" / "results" / "lab"


def test_an_arm_has_one_style_in_all_published_figures_and_no_two_of_a_figure_share_one() -> None:
    found: dict[str, set[str]] = {}
    for name in catalogue.names("experiment"):
        experiment = catalogue.resolve("experiment", name)
        results = from_json(experiment, json.loads((STORED / f"{name}.json").read_text()))
        for figure in experiment.figures(results):
            assert isinstance(figure, Figure)
            assert len({line.style for line in figure.lines}) == len(figure.lines), figure.key
            for line in figure.lines:
                found.setdefault(line.name, set()).add(line.style)
    assert {name: each for name, each in found.items() if len(each) > 1} == {}
    assert len(found) > 15


def test_more_arms_than_styles_begin_again() -> None:
    assert styles([f"arm {i}" for i in range(8)]) == [f"series{1 + i % 6}" for i in range(8)]
    assert styles(["residual, post-norm", "new"]) == ["series2", "series1"]


def test_two_arms_of_one_kind_have_a_style_each() -> None:
    assert styles(["pre-norm", "layer norm", "post-norm"]) == ["series1", "series3", "series2"]
