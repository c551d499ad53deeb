"""Several experiments within one budget, their pages, and where they may not be written."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Heard, corpus

from mainstem import catalogue
from mainstem.cli import lab as lab_command
from mainstem.errors import BadInput
from mainstem.lab import Cell, Contrast, Experiment, against, suite
from mainstem.lab.trial import Trial


class Clock:
    """Stands still, but for what trials add to it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def experiment(name: str, seconds: float = 0.0, clock: Clock | None = None) -> Experiment:
    """b is lower than a by 1; a training takes `seconds` by the clock."""

    def trial(trial: Trial) -> dict[str, float]:
        if trial.limit is None:
            if clock is not None:
                clock.now += seconds
        else:
            trial.seconds = seconds / 9  # four steps of forty, one of which is not counted again
        return {"loss": 1.0 + (trial.cell.name == "a") + 0.01 * trial.run.seed}

    contrast = Contrast("b is lower.", against("b", "a"), "loss", "nats", 0.1, -1)
    cells = Cell("a", at={"arm": "a"}), Cell("b", at={"arm": "b"})
    return Experiment(name, "7.4", "A claim.", "Q?", cells, (contrast,), trial, lambda r: [], {"train.steps": 40})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.text, "reader", lambda *_: lambda section: corpus())


def run(
    folder: Path, budget: float | None, seeds: int | None, *found: Experiment, clock: Clock | None = None
) -> tuple[list[Any], list[str]]:
    clock = Clock() if clock is None else clock
    plan, heard = suite.Plan(folder, {}, budget, seeds, "mainstem lab x", clock), Heard()
    return list(suite.run(found, plan, clock(), heard)), heard.lines


def test_every_experiment_has_its_results_and_its_page(tmp_path: Path) -> None:
    made, said = run(tmp_path, None, 3, experiment("one"), experiment("two"))
    assert [results.verdict for results, _ in made] == ["supported", "supported"]
    assert [page.name for _, page in made] == ["one.html", "two.html"]
    assert len([line for line in said if "seed 2 done" in line]) == 2
    found = json.loads((tmp_path / "two.json").read_text())
    assert found["facts"]["command"] == "mainstem lab x"
    assert {"commit", "versions", "machine", "settings", "steps", "seconds"} <= set(found["facts"])
    plan = suite.Plan(tmp_path, {}, None, 3, "mainstem lab x")
    both = [experiment("one"), experiment("two")]
    whole = suite.write_all(plan, both, [results for results, _ in made]).read_text()
    assert "one: A claim." in whole
    assert "two: A claim." in whole


def test_what_one_leaves_of_its_share_goes_to_the_next(tmp_path: Path) -> None:
    """The first ends at ten seeds in no time, so the second has nearly all: far more than its half would buy."""
    clock = Clock()
    slow = experiment("slow", 0.1, clock)
    made, _ = run(tmp_path, 2.0 + suite._END, None, experiment("quick"), slow, clock=clock)
    assert len(made[0][0].seeds) == 10
    assert len(made[1][0].seeds) == 9  # of 0.2 s each, where 1.15 times as much must be left; its half would buy 4


def test_one_whose_share_is_too_small_is_left_out_by_name(tmp_path: Path) -> None:
    made, said = run(tmp_path, 1.0 + suite._END, None, experiment("long", 1.0), experiment("short"))  # 2 s a seed
    assert [results.experiment.name for results, _ in made] == ["short"]
    assert said[0] == (
        "long was left out: one seed of long takes about 2s, and 0s were its share. "
        "By itself it has time for three seeds with --budget 7s."
    )
    with pytest.raises(BadInput, match=r"^A budget of 3s .* one seed of long, .* about 2s .* --budget 7s for three"):
        run(tmp_path, 1.0 + suite._END, None, experiment("long", 1.0))


def test_a_budget_that_is_said_to_be_enough_is_where_trainings_become_longer_with_it(tmp_path: Path) -> None:
    """700 s were said to hold three seeds of 200 s, and from 600 s on a seed takes 400."""
    clock = Clock()
    with pytest.raises(BadInput, match=r"takes about 200s on this machine: give --budget 140\ds for three") as said:
        run(tmp_path, 100.0, None, experiment("long", 100.0), clock=clock)
    needed = float(re.findall(r"--budget (\d+)s", str(said.value))[0])
    made, _ = run(tmp_path, needed, None, experiment("long", 200.0, clock), clock=clock)
    assert len(made[0][0].seeds) == 3


def test_nothing_is_tried_where_no_time_is_left(tmp_path: Path) -> None:
    """What is there already costs nothing, and is shown all the same; where nothing is, that is no success."""
    run(tmp_path, None, 1, experiment("kept"))
    timed = []
    late = experiment("late")
    late = dataclasses.replace(late, trial=lambda trial: timed.append(trial) or {"loss": 1.0})
    made, said = run(tmp_path, suite._END, None, late, experiment("kept"), late)
    assert [results.experiment.name for results, _ in made] == ["kept"]
    assert said[-1] == "No time was left for late, late: give a longer --budget."
    with pytest.raises(BadInput, match="too small for one seed of any of the 2 experiments"):
        run(tmp_path, suite._END, None, late, late)
    assert timed == []


def test_the_machine_is_described_as_it_was_used(tmp_path: Path) -> None:
    """The threads were those of this process, whatever --machine.threads said."""
    before = torch.get_num_threads()
    plan = suite.Plan(tmp_path, {"machine.threads": "3"}, None, 1, "mainstem lab x")
    ((results, _),) = suite.run([experiment("one")], plan, 0.0, Heard())
    assert results.facts["machine"]["threads"] == 3
    assert torch.get_num_threads() == before


def test_results_go_into_no_run_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is not a folder"):
        suite.check_folder(tmp_path / "file")
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(BadInput, match="is the folder of a run"):
        suite.check_folder(tmp_path)


def test_the_name_of_a_variant_is_kept_with_its_values() -> None:
    """L1's proximal step is AdamW's: what was given for another optimizer is nothing to it."""
    settings = {"optim.name": "muon", "optim.muon_lr": "0.01", "optim.lr": "0.1", "train.steps": "3"}
    l1, sites = (catalogue.resolve("experiment", name) for name in ("l1", "sites"))
    assert (l1.free(settings), sites.free(settings)) == ({"train.steps": "3"}, settings)
    plan = suite.Plan(Path(), settings, None, 1, "mainstem lab --all")
    assert list(suite.kept([l1, sites, dataclasses.replace(l1, name="other")], plan)) == [
        "l1 and other keep their own optim.name, optim.muon_lr and optim.lr, over which they decide themselves."
    ]


def test_all_but_those_that_read_a_text_once_take_another_size_of_it() -> None:
    """`--all --repeated N`: an experiment without such a text runs as it is."""
    for spec in catalogue.specs("experiment"):
        own = spec.load()
        found = lab_command._sized(own, lab_command.Options(all=True, repeated=4096))
        if own.repeated is None:
            assert found is own
        else:
            assert {cell.tokens for cell in found.cells} - {None} == {4096}
            passes = [each.base["train.steps"] / each.repeated for each in (own, found)]
            assert passes[1] == pytest.approx(passes[0], rel=0.02)
