"""One line a group: the mean over seeds where all of them are, between the smallest and the largest."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import run_folders
from run_folders import Made

from mainstem import config
from mainstem.draw.words import short
from mainstem.report import source
from mainstem.report.figures import nats_per_bit
from mainstem.report.groups import grouped
from mainstem.report.several_figures import figures, merged

KEYS = ["held-steps", "held-seconds", "training", "gap", "gradient", "flow"]


def test_the_mean_is_of_interpolated_curves_where_all_of_them_are() -> None:
    one, two = [(0.0, 4.0), (10.0, 2.0)], [(2.0, 1.0), (8.0, 1.0), (20.0, 0.0)]
    assert len(found := merged([one, two])) == 2
    assert found[0] == pytest.approx((2, 2.3, 1, 3.6))
    assert found[1] == pytest.approx((10, (2 + 5 / 6) / 2, 5 / 6, 2))
    assert merged([[], one]) == [(0, 4, 4, 4), (10, 2, 2, 2)]
    assert merged([[(0, 1.0), (1, 1.0)], [(5, 3.0)]]) == [(0, 1, 1, 1), (1, 1, 1, 1)], (
        "nothing in common: the longer one"
    )
    assert merged([]) == []


def test_on_a_logarithmic_axis_the_mean_is_geometric() -> None:
    assert merged([[(0, 1.0)], [(0, 100.0)]], log=True)[0] == pytest.approx((0, 10, 1, 100))


def test_every_line_is_drawn_at_the_mean_of_its_runs(tmp_path: Path) -> None:
    made = [Made(steps=40, eval_every=10, quantities=10, layers=2, seed=seed) for seed in (0, 1, 2)]
    folders = [run_folders.make(tmp_path / f"a{i}", one, seed=i) for i, one in enumerate(made)]
    (one,) = grouped([source.read(folder) for folder in folders], folders)
    drawn = {figure.key: figure for figure in figures([one], bits=False)}
    assert list(drawn) == KEYS
    rows = [run_folders.lines(each) for each in made]
    for key, take in (
        ("held-steps", lambda line: line["held_out"]["nats_per_token"]), ("gap", lambda line: line["gap"]["value"])
    ):  # fmt: skip
        at = [(lines[19]["step"], take(lines[19])) for lines in rows]
        mean = math.fsum(y for _, y in at) / 3
        assert dict(drawn[key].lines[0].points)[20] == pytest.approx(mean)
        low, high = next((low, high) for x, low, high in drawn[key].bands[0].points if x == 20)
        assert (low, high) == pytest.approx((min(at)[1], max(at)[1]))
    depth = [lines[39]["gradient"] for lines in rows]
    expected = [math.exp(math.fsum(math.log(run[i]) for run in depth) / 3) for i in range(5)]
    assert [y for _, y in drawn["flow"].lines[0].points] == pytest.approx(expected)
    seconds = [lines[-1]["seconds"] for lines in rows]
    assert drawn["held-seconds"].lines[0].points[-1][0] == pytest.approx(min(seconds))
    table = drawn["held-seconds"].table
    assert table.heads[-1] == "held-out loss"
    assert [row[1] for row in table.rows] == [short(x) for x, _ in drawn["held-seconds"].lines[0].points]


def test_a_long_table_says_that_each_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    """It said that "metrics.jsonl has every step": of residuals, of several runs, and of seconds nothing."""
    folder = run_folders.make(tmp_path / "a", Made(steps=240, eval_every=2, quantities=240, layers=40))
    drawn = {figure.key: figure for figure in figures(grouped([source.read(folder)], [folder]), bits=False)}
    for key, whole, what in (("flow", 81, "residual"), ("held-steps", 120, "step"), ("held-seconds", 120, "step")):
        table = drawn[key].table
        assert len(table.rows) == 60
        assert table.note == f"60 of {whole} points; the metrics.jsonl of each run has every {what}."


def test_bits_per_byte_are_what_is_drawn_where_tokens_differ(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "a", Made(steps=20, eval_every=10, layers=1))
    facts = json.loads((folder / "facts.json").read_text())
    facts["bytes_per_token"] = 4.0
    (folder / "facts.json").write_text(json.dumps(facts))
    found = grouped([source.read(folder)], [folder])
    held = {bits: next(iter(figures(found, bits))) for bits in (False, True)}
    nats, bits = (held[b].lines[0].points[0][1] for b in (False, True))
    assert bits == pytest.approx(nats / math.log(2) / 4)
    assert held[True].y.title == "bits per byte"


def test_training_and_gap_are_per_byte_too_where_tokens_differ(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "a", Made(steps=20, eval_every=10, layers=1))
    (one,) = grouped([source.read(folder)], [folder])
    tokens, per_byte = ({figure.key: figure for figure in figures([one], bits)} for bits in (False, True))
    factor = nats_per_bit(one.runs[0])
    assert factor is not None
    for key in ("training", "gap"):
        assert (tokens[key].y.title, per_byte[key].y.title) == ("nats per token", "bits per byte")
        expected = {x: y / factor for x, y in tokens[key].lines[0].points}
        assert dict(per_byte[key].lines[0].points) == pytest.approx(expected)
    assert per_byte["gap"].bands[0].points == [
        pytest.approx((x, low / factor, high / factor)) for x, low, high in tokens["gap"].bands[0].points
    ]


def test_a_long_noisy_curve_is_drawn_with_few_points(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "a", Made(steps=2000, layers=1))
    drawn = {figure.key: figure for figure in figures(grouped([source.read(folder)], [folder]), bits=False)}
    for key in ("training", "gradient"):
        assert 60 <= len(drawn[key].lines[0].points) <= 120
    assert drawn["training"].lines[0].points[0][1] > drawn["training"].lines[0].points[-1][1]


def test_the_gap_of_a_single_run_has_its_interval_for_a_band(tmp_path: Path) -> None:
    folders = [run_folders.make(tmp_path / "alone", Made(steps=40, eval_every=10), seed=5)]
    folders += [run_folders.make(tmp_path / f"two{seed}", Made(steps=40, eval_every=10, seed=seed), seed=seed,
                                 noise=config.Noise(rate=0.3)) for seed in (0, 1)]  # fmt: skip
    found = grouped([source.read(folder) for folder in folders], folders)
    gap = next(figure for figure in figures(found, bits=False) if figure.key == "gap")
    styles = {line.name: line.style for line in gap.lines}
    bands = {band.style: band for band in gap.bands}
    assert set(bands) == set(styles.values())
    assert [high - low for _, low, high in bands[styles["alone"]].points] == pytest.approx([0.04] * 4)
    assert "The band of a single run is its 95% interval" in gap.caption
    ends = [end for band in gap.bands for _, *both in band.points for end in both]
    assert gap.y.scale.low <= min(ends) <= max(ends) <= gap.y.scale.high
