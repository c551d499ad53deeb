"""Stages are passes that were made, in their order, and end at the best weights."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import run_folders

from mainstem.report import source
from mainstem.report.waterfall import Waterfall, waterfall


def made(folder: Path, **settings: Any) -> tuple[Waterfall, list[dict[str, Any]], source.Source]:
    run = source.read(run_folders.make(folder, run_folders.Made(**settings)))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = waterfall(run)
    assert found is not None
    return found, [line for line in lines if "held_out" in line], run


def test_stages_are_passes_that_stand_in_the_metrics(tmp_path: Path) -> None:
    found, passes, run = made(tmp_path / "run")
    assert [stage.step for stage in found.stages] == [0, 300, 500, 1000, 1200]
    by_step = {line["step"]: line["held_out"]["bits_per_byte"] for line in passes}
    assert [stage.bits for stage in found.stages[1:4]] == pytest.approx([by_step[step] for step in (300, 500, 1000)])
    assert found.stages[0].bits == run.facts["start"]["bits_per_byte"] == 8.0
    assert found.stages[-1].bits == run.facts["outcome"]["best"]["bits_per_byte"]
    assert found.lines == [("adaptive", 2.204), ("counts", 2.296), ("unigram", 4.812)]
    assert "the same held-out text" in found.note


def test_of_an_ensemble_one_member_stands_before_all(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "run")
    facts = json.loads((folder / "facts.json").read_text())
    best = facts["outcome"]["best"]["bits_per_byte"]
    facts["outcome"]["ensemble"] = {"members": 4, "one_bpb": best + 0.125}
    (folder / "facts.json").write_text(json.dumps(facts))
    found = waterfall(source.read(folder))
    assert found is not None
    assert found.stages[-2:] == [("one member", 1200, best + 0.125), ("all 4 members", 1200, best)]
    assert found.gains[-1] == pytest.approx(0.125)
    assert "the best weights" not in [stage.name for stage in found.stages]
    facts["outcome"]["ensemble"] = {"members": "4", "one_bpb": None}
    (folder / "facts.json").write_text(json.dumps(facts))
    damaged = waterfall(source.read(folder))
    assert damaged is not None and damaged.stages[-1].name == "the best weights"


def test_gains_and_bars_add_up_to_the_best(tmp_path: Path) -> None:
    found, _, _ = made(tmp_path / "run")
    first, *gains = found.gains
    assert first is None
    assert found.stages[0].bits - sum(gain for gain in gains if gain is not None) == pytest.approx(
        found.stages[-1].bits
    )
    (_, left, width), *middle, (_, last_left, last_width) = found.places
    assert (left, width, last_left) == (0.0, 100.0, 0.0)
    ends = [100 * stage.bits / found.most for stage in found.stages]
    assert last_width == pytest.approx(ends[-1])
    for (_, low, wide), (before, now) in zip(middle, itertools.pairwise(ends), strict=False):
        assert (low, low + wide) == pytest.approx((min(before, now), max(before, now)))
    assert dict(found.rules)["counts"] == pytest.approx(100 * 2.296 / found.most)


def test_a_stage_behind_the_best_weights_is_undone_and_not_shown(tmp_path: Path) -> None:
    found, _, _ = made(tmp_path / "run", turn=0.05)
    assert found.stages[-1].step < 1000
    assert [stage.step for stage in found.stages] == sorted({stage.step for stage in found.stages})
    assert "1/2" not in " ".join(stage.name for stage in found.stages)


def test_other_targets_at_the_end_are_said(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "run")
    facts = json.loads((folder / "facts.json").read_text())
    facts["outcome"]["best"]["tokens"] = 99_000
    (folder / "facts.json").write_text(json.dumps(facts))
    found = waterfall(source.read(folder))
    assert found is not None
    assert "measured on 99,000 held-out tokens, the stages before on 16,384" in found.note


def test_without_passes_there_are_no_stages(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(finished=False))
    (folder / "metrics.jsonl").write_text("")
    assert waterfall(source.read(folder)) is None
    (folder / "facts.json").write_text('{"start": 5, "outcome": {"best": 7}, "yardsticks": []}')
    assert waterfall(source.read(folder)) is None


def test_a_pass_far_behind_a_share_of_the_steps_does_not_stand_for_it(tmp_path: Path) -> None:
    found, _, _ = made(tmp_path / "run", eval_every=800, turn=1)
    assert [(stage.name, stage.step) for stage in found.stages[1:2]] == [("after 1/4 of the steps", 800)]
