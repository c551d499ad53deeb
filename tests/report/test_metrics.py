"""metrics.jsonl as it is found: whole, cut, still growing, damaged, a million lines long."""

from __future__ import annotations

import json
import math
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import run_folders

from mainstem.report import metrics


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_the_numbers_of_a_run_are_found(tmp_path: Path) -> None:
    made = run_folders.Made(steps=300, eval_every=50, quantities=100)
    lines = run_folders.lines(made)
    found = metrics.read(write(tmp_path / "m", lines))
    assert found.steps.points("loss") == [(line["step"], line["loss"]) for line in lines]
    assert found.steps.points("lr") == [(line["step"], line["lr"]) for line in lines]
    held = [line for line in lines if "held_out" in line]
    assert found.evaluations.points("held_out") == [(line["step"], line["held_out"]["nats_per_token"]) for line in held]
    assert found.evaluations.points("gap") == [(line["step"], line["gap"]["value"]) for line in held]
    assert found.evaluations.points("gap_low") == [(line["step"], line["gap"]["low"]) for line in held]
    assert found.last is not None and found.last.gap is not None
    assert found.last.gap.clear and found.last.error == 0.01
    assert not metrics.Gap(0.1, -0.1, 0.3).clear and metrics.Gap(-0.3, -0.5, -0.1).clear
    assert found.best is not None
    assert found.best.value == min(line["held_out"]["nats_per_token"] for line in held)
    assert [snapshot.step for snapshot in found.snapshots] == [100, 200, 300]
    assert found.snapshots[0].gradient == lines[99]["gradient"]
    for name, seconds in found.phases.items():
        assert seconds == pytest.approx(math.fsum(line["phases"].get(name, 0) for line in lines))
    assert (found.last_step, found.tokens, found.unreadable) == (300, 300 * 4096, 0)


def test_speed_is_tokens_over_the_time_of_training_alone(tmp_path: Path) -> None:
    phases = {"data": 0.1, "forward": 0.2, "backward": 0.1, "update": 0.1, "evaluate": 9.0}
    lines = [{"step": s, "tokens": 100 * s, "seconds": 10.0 * s, "phases": phases} for s in (1, 2)]
    found = metrics.read(write(tmp_path / "m", lines))
    assert found.training_tokens / found.training_seconds == pytest.approx(100 / 0.5)
    bare = [{"step": s, "tokens": 100 * s, "seconds": 10.0 * s} for s in (1, 2)]
    found = metrics.read(write(tmp_path / "m", bare))
    assert found.training_tokens / found.training_seconds == pytest.approx(10.0)


def test_a_line_without_its_end_is_left_out_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "m", [{"step": 1, "loss": 2.0}])
    whole = path.read_bytes()
    for cut in ('{"step":2,"lo', '{"step":2}', "", "\xff"):
        path.write_bytes(whole + cut.encode("latin-1"))
        found = metrics.read(path)
        assert (found.last_step, found.unreadable) == (1, 0)


def test_lines_that_are_none_are_counted_and_left_out(tmp_path: Path) -> None:
    nonsense = [
        "", "{", "[1]", "3", "null", '{"loss":1}', '{"step":"1"}', '{"step":true}', '{"step":-1}', '{"step":1e400}',
        '{"step":99999999999999999999}', "[" * 5000, '{"step":1.5}', "x" * (1 << 21),
    ]  # fmt: skip
    found = metrics.read(write(tmp_path / "m", [{"step": 1, "loss": 2.0}, *nonsense, {"step": 2, "loss": 1.0}]))
    assert found.unreadable == len(nonsense)
    assert found.steps.points("loss") == [(1, 2.0), (2, 1.0)]


def test_values_of_other_kinds_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    odd: list[Any] = [None, "1", True, [], {}, 1e300, 10**400]
    lines = [
        {"step": i, "loss": v, "held_out": v, "phases": v, "stream": v, "gradient": {"a": v}, "tokens": v, "gap": v}
        for i, v in enumerate(odd)
    ]
    lines += [{"step": 9, "held_out": {"nats_per_token": v}, "phases": {"data": v, "<b>": 1}} for v in odd]
    found = metrics.read(write(tmp_path / "m", lines))
    assert found.steps.points("loss") == []
    assert (found.best, found.phases) == (None, {})
    assert found.snapshots == []


def test_no_file_and_an_empty_one_have_no_steps(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("missing", "empty"):
        found = metrics.read(tmp_path / name)
        assert (len(found.steps), found.last_step, found.best) == (0, 0, None)


@pytest.mark.parametrize("many", [1, 64, 65, 66, 131, 1000])
def test_of_many_snapshots_the_first_and_the_last_are_kept_and_some_evenly_between(many: int) -> None:
    found = metrics.Metrics()
    for step in range(1, many + 1):
        found.add({"step": step, "stream": [float(step)]})
    steps = [snapshot.step for snapshot in found.snapshots]
    assert (steps[0], steps[-1]) == (1, many) and min(many, 32) <= len(steps) <= 65
    assert len({b - a for a, b in pairwise(steps[:-1])}) <= 1


def test_a_long_file_takes_bounded_memory_and_keeps_its_extremes(tmp_path: Path) -> None:
    path = tmp_path / "m"
    depth = {"stream": [1.0] * 20, "gradient": [1.0] * 20}
    with open(path, "w") as stream:
        for step in range(1, 20_001):
            line = {"step": step, "loss": 1.0 + (step == 7777), "lr": 1e-3, "held_out": {"nats_per_token": 1 / step}}
            stream.write(json.dumps({**line, **depth}) + "\n")
    tracemalloc.start()
    try:
        found = metrics.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4e6
    assert path.stat().st_size > 5e6
    assert len(found.steps) <= 512
    assert len(found.evaluations) <= 256
    assert len(found.snapshots) <= 65
    assert max(bin.high("loss") or 0.0 for bin in found.steps) == 2.0
    assert found.best is not None
    assert found.best.step == 20_000
