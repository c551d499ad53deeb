"""The numbers that the figures draw."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import run_folders

from mainstem.report import depth_figures, figures, metrics, phases, source


@pytest.fixture
def run(tmp_path: Path) -> source.Source:
    return source.read(run_folders.make(tmp_path / "run"))


def test_the_loss_figure_has_both_curves_gap_yardsticks_and_best_step(run: source.Source) -> None:
    lines = run_folders.lines(run_folders.Made())
    held = [line for line in lines if "held_out" in line]
    figure = figures.loss(run)
    assert figure is not None
    by_name = {line.name: line.points for line in figure.lines}
    assert by_name["held-out"] == [(line["step"], line["held_out"]["nats_per_token"]) for line in held]
    assert [y for _, y in by_name["training text, without noise"]] == pytest.approx(
        [line["held_out"]["nats_per_token"] - line["gap"]["value"] for line in held]
    )
    gap = next(band for band in figure.bands if band.style == "gap")
    assert [high - low for _, low, high in gap.points] == pytest.approx([line["gap"]["value"] for line in held])
    assert {rule.name: rule.y for rule in figure.rules} == {
        "unigram 4.81": pytest.approx(4.812 * math.log(2)),
        "counts 2.30": pytest.approx(2.296 * math.log(2)),
        "adaptive 2.20": pytest.approx(2.204 * math.log(2)),
    }
    assert [(mark.x, round(mark.y, 4)) for mark in figure.marks] == [(1200, 1.4977)]
    assert figure.right is not None
    assert figure.right.factor == pytest.approx(1 / math.log(2))


def test_training_is_drawn_as_mean_and_envelope(run: source.Source) -> None:
    figure = figures.loss(run)
    assert figure is not None
    losses = [line["loss"] for line in run_folders.lines(run_folders.Made())]
    means = next(line.points for line in figure.lines if line.style == "train")
    envelope = next(band.points for band in figure.bands if band.style == "train")
    assert means[0] == (pytest.approx(2.5), pytest.approx(sum(losses[:4]) / 4))
    assert envelope[0] == (pytest.approx(2.5), min(losses[:4]), max(losses[:4]))


def test_bytes_per_token_come_from_the_evaluations_where_facts_have_none(run: source.Source) -> None:
    run.facts["bytes_per_token"] = None
    assert figures.nats_per_bit(run) == pytest.approx(math.log(2))
    run.facts["bytes_per_token"] = 3.5
    assert figures.nats_per_bit(run) == pytest.approx(3.5 * math.log(2))


def test_the_gap_is_drawn_with_its_interval(run: source.Source) -> None:
    figure = figures.gap(run)
    assert figure is not None
    (line,), (band,) = figure.lines, figure.bands
    assert [x for x, _ in line.points] == [x for x, _, _ in band.points]
    assert all(low < y < high for (_, y), (_, low, high) in zip(line.points, band.points, strict=True))
    assert [high - low for _, low, high in band.points] == pytest.approx([0.04] * len(line.points))
    assert figure.y.scale.low <= 0 and [rule.y for rule in figure.rules] == [0.0]
    run.metrics.evaluations = metrics.Metrics().evaluations
    assert figures.gap(run) is None


def test_without_a_gap_the_training_loss_is_its_lower_edge(tmp_path: Path) -> None:
    run = source.Source("r", "", {}, {}, source.metrics.Metrics(), [])
    for step in range(1, 7):
        line = {"step": step, "loss": 3.0 - step / 10}
        run.metrics.add(line | ({"held_out": {"nats_per_token": 3.0}} if step % 3 == 0 else {}))
    figure = figures.loss(run)
    assert figure is not None
    band = next(band for band in figure.bands if band.style == "gap")
    assert band.points == [(3, pytest.approx(2.7), 3.0), (6, pytest.approx(2.4), 3.0)]
    assert figure.rules == []
    assert "taken with noise" in figure.caption


def test_a_yardstick_far_above_is_named_in_place_of_pressing_the_curves_flat(run: source.Source) -> None:
    figure = figures.loss(run)
    assert figure is not None
    assert figure.y.scale.high < 4.812 * math.log(2)
    assert "unigram 4.81 bits per byte lies above the figure" in figure.caption
    assert figure.y.scale.low < 2.296 * math.log(2) < figure.y.scale.high


def test_a_short_run_is_shown_whole() -> None:
    run = source.Source("r", "", {}, {}, source.metrics.Metrics(), [])
    for step in (1, 2, 3):
        run.metrics.add({"step": step, "loss": 10.0 / step})
    figure = figures.loss(run)
    assert figure is not None
    assert figure.y.scale.low < 10 / 3 < 10 < figure.y.scale.high
    assert "above" not in figure.caption
    assert figure.caption == "There is no held-out pass yet."


def test_the_table_behind_the_loss_is_at_the_held_out_passes(run: source.Source) -> None:
    figure = figures.loss(run)
    assert figure is not None
    assert [row[0] for row in figure.table.rows] == [f"{step:,}" for step in range(100, 2001, 100)]
    assert figure.table.rows[11][3:] == ["1.498", "0.06"]
    assert figure.table.rows[11][2] == "1.438"


def test_rate_speed_and_gradient_have_their_numbers(run: source.Source) -> None:
    lines = run_folders.lines(run_folders.Made())
    rate, speed, gradient = figures.rate(run), figures.speed(run), figures.gradient(run)
    assert rate is not None
    assert speed is not None
    assert gradient is not None
    assert max(y for _, y in rate.lines[0].points) == pytest.approx(max(line["lr"] for line in lines), rel=0.02)
    took = sum(sum(line["phases"][name] for name in ("data", "forward", "backward", "update")) for line in lines[:4])
    assert speed.lines[0].points[0][1] == pytest.approx(4 * 4096 / took)
    assert gradient.lines[0].points[0][1] == pytest.approx(sum(line["grad_norm"] for line in lines[:4]) / 4)
    assert [rule.y for rule in gradient.rules] == [1.0]


def test_norms_by_depth_are_drawn_for_several_steps(run: source.Source) -> None:
    lines = {line["step"]: line for line in run_folders.lines(run_folders.Made())}
    for figure, key in ((depth_figures.stream(run), "stream"), (depth_figures.gradient(run), "gradient")):
        assert figure is not None
        assert len(figure.lines) == 6
        assert figure.lines[-1].name == "step 2,000"
        assert [y for _, y in figure.lines[-1].points] == lines[2000][key]
        assert [y for _, y in figure.lines[0].points] == lines[50][key]
        assert len(figure.table.rows) == 13
        assert "At step 2,000" in figure.caption


def test_the_slope_by_depth_is_said_for_a_chain_whose_slope_is_known() -> None:
    run = source.Source("r", "", {}, {}, source.metrics.Metrics(), [])
    run.metrics.add(
        {"step": 4, "stream": [2.0**at for at in range(9)], "gradient": [0.5 * 0.8**-at for at in range(9)]}
    )
    stream, gradient = depth_figures.stream(run), depth_figures.gradient(run)
    assert stream is not None
    assert gradient is not None
    assert "ends 256 times as large as it begins, a factor of 2 a residual" in stream.caption
    assert f"{0.8**8:.4g} times what leaves the output, a factor of 0.8 a residual" in gradient.caption


def test_depth_forgives_zeros_holes_and_nothing() -> None:
    run = source.Source("r", "", {}, {}, source.metrics.Metrics(), [])
    assert depth_figures.stream(run) is None
    run.metrics.add({"step": 1, "stream": [0.0, None, 1.0], "gradient": []})
    figure = depth_figures.stream(run)
    assert figure is not None
    assert figure.lines[0].points == [(2.0, 1.0)]
    assert depth_figures.gradient(run) is None


def test_phases_add_up_to_the_whole_time(run: source.Source) -> None:
    found = phases.split(run.metrics)
    assert found is not None
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    lines = run_folders.lines(run_folders.Made())
    backward = sum(line["phases"]["backward"] for line in lines)
    shown = {part.name: part for part in found.parts}
    assert shown["backward"].seconds == pytest.approx(backward)
    assert shown["backward"].left == pytest.approx(100 * (shown["data"].share + shown["forward"].share), abs=0.01)
    run.metrics.seconds = 2 * sum(run.metrics.phases.values())
    other = phases.split(run.metrics)
    assert other is not None
    assert (other.parts[-1].name, round(other.parts[-1].share, 6)) == ("other", 0.5)


def test_without_metrics_there_are_no_figures() -> None:
    run = source.Source("r", "", {}, {}, source.metrics.Metrics(), [])
    assert [figures.loss(run), figures.rate(run), figures.speed(run), figures.gradient(run)] == [None] * 4
    assert phases.split(run.metrics) is None


def with_optim(tmp_path: Path, **fields: object) -> source.Source:
    """A run whose configuration has another section `optim`."""
    found = source.read(run_folders.make(tmp_path / "other"))
    found.config["optim"] = fields
    return found


def test_muon_s_rate_stands_beside_adamw_s(tmp_path: Path) -> None:
    run = with_optim(tmp_path, name="muon", muon_lr=0.03, lr=1e-3, schedule="cosine")
    figure = figures.rate(run)
    assert figure is not None
    muon, adamw = (dict(line.points) for line in figure.lines)
    assert "Muon" in figure.lines[0].name and "AdamW" in figure.lines[1].name
    assert adamw == dict(run.metrics.steps.points("lr"))
    assert muon == pytest.approx({x: 30 * y for x, y in adamw.items()})
    assert "peaks 0.03 (Muon) and 0.001 (AdamW)" in figure.caption
    alone = figures.rate(with_optim(tmp_path, name="adamw", muon_lr=0.03, lr=1e-3))
    assert alone is not None and len(alone.lines) == 1


@pytest.mark.parametrize(("name", "said"), [("adamw", True), ("muon", False), ("sgd", False)])
def test_what_is_usual_is_said_of_the_optimizer_for_which_it_is(tmp_path: Path, name: str, said: bool) -> None:
    run = with_optim(tmp_path, name=name, lr=1e-3)
    run.metrics.steps.add(2001, {"update_ratio": 1e-3})
    figure = figures.update(run)
    assert figure is not None
    assert ("1e-3 is usual" in figure.caption) == said


def test_a_long_training_loss_is_drawn_smoothed_too(run: source.Source, tmp_path: Path) -> None:
    figure = figures.loss(run)
    assert figure is not None
    lines = {line.name: line.points for line in figure.lines}
    raw, smooth = lines["training, as it went"], lines["training, smoothed"]
    assert [x for x, _ in smooth] == [x for x, _ in raw]
    reach = len(raw) // 80
    i = len(raw) // 2
    mean = math.fsum(y for _, y in raw[i - reach : i + reach + 1]) / (2 * reach + 1)
    assert smooth[i][1] == pytest.approx(mean) and reach > 1
    short = figures.loss(source.read(run_folders.make(tmp_path / "short", run_folders.Made(steps=150))))
    assert short is not None and "training, smoothed" not in {line.name for line in short.lines}


def test_round_times_stand_at_the_steps_when_they_had_passed(run: source.Source, tmp_path: Path) -> None:
    taken = run_folders.lines(run_folders.Made())
    found = figures.times(run)
    assert [said for _, said in found] == ["30 s", "1 min", "90 s", "2 min", "150 s"]
    for step, said in zip((x for x, _ in found), (30, 60, 90, 120, 150), strict=False):
        assert taken[round(step) - 1]["seconds"] == pytest.approx(said, abs=1.2)
    quick = source.read(run_folders.make(tmp_path / "quick", run_folders.Made(steps=100)))
    assert figures.times(quick) == []
