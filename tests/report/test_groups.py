"""Which runs are one group, what groups are called, and what tells them apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import run_folders
from run_folders import Made

from mainstem import config
from mainstem.report import source
from mainstem.report.groups import common, differences, grouped, unique

SHORT = Made(steps=4, eval_every=2, quantities=2, layers=1)


def group(root: Path, **settings: dict[str, object]):
    folders = [run_folders.make(root / name, SHORT, **one) for name, one in settings.items()]
    return grouped([source.read(folder) for folder in folders], folders)


def test_seed_and_folder_alone_do_not_part_runs(tmp_path: Path) -> None:
    found = group(
        tmp_path, a_seed0={"seed": 0, "out": "x"}, b={"train": config.Train(steps=9)}, a_seed1={"seed": 1, "out": "y"}
    )
    assert [(one.name, one.names, one.seeds) for one in found] == [("a", ("a_seed0", "a_seed1"), 2), ("b", ("b",), 1)]
    assert differences(found)["train.steps"] == ["4", "9"]
    assert "seed" not in differences(found)


def test_a_seed_that_comes_twice_is_counted_once(tmp_path: Path) -> None:
    (one,) = group(tmp_path, a={"seed": 3}, b={"seed": 4}, c={"seed": 3})
    assert (one.seeds, one.repeats) == (2, ("c",))
    assert [run.name for run in one.counted] == ["a", "b"]


@pytest.mark.parametrize("which", ["held_out_hash", "hash"])
def test_runs_on_other_data_are_another_group(tmp_path: Path, which: str) -> None:
    folders = [run_folders.make(tmp_path / name, SHORT, seed=i) for i, name in enumerate("ab")]
    facts = json.loads((folders[1] / "facts.json").read_text())
    facts["corpus"][which] = "other"
    (folders[1] / "facts.json").write_text(json.dumps(facts))
    found = grouped([source.read(folder) for folder in folders], folders)
    assert len(found) == 2
    assert differences(found) == {}


def test_a_configuration_that_cannot_be_read_is_alone(tmp_path: Path) -> None:
    folders = [run_folders.make(tmp_path / name, SHORT) for name in "ab"]
    for folder in folders:
        (folder / "config.yaml").write_text("{{{")
    assert len(grouped([source.read(folder) for folder in folders], folders)) == 2


def test_lists_differ_field_by_field(tmp_path: Path) -> None:
    term = config.PenaltyTerm(name="l2", coef=1e-3)
    found = differences(group(tmp_path, a={"penalty": [term]}, b={"penalty": [term, term]}, c={"penalty": []}))
    assert found["penalty.0.coef"] == ["0.001", "0.001", "–"]
    assert found["penalty.1.name"] == ["–", "l2", "–"]
    assert found["penalty"] == ["–", "–", "[]"]


@pytest.mark.parametrize(
    ("names", "called"),
    [(["deep-s0", "deep-s1"], "deep"), (["deep_seed_1", "deep_seed_2"], "deep"), (["bias0", "bias1"], "bias"),
     (["seed0", "seed1"], "seed0, seed1"), (["run1", "run12"], "run"), (["x", "y", "z", "w"], "x, y, z, …"),
     (["layers-8-0", "layers-8-1"], "layers-8"), (["lr0.1-s10", "lr0.1-s11"], "lr0.1"), (["lr0.1", "lr0.1-b"], "lr0.1"),
     (["2026-12-01-a", "2026-12-02-a"], "2026-12-01-a, 2026-12-02-a")],
)  # fmt: skip
def test_a_group_is_called_by_what_its_names_share(names: list[str], called: str) -> None:
    assert common(names) == called


def test_groups_of_one_beginning_keep_names_of_their_own(tmp_path: Path) -> None:
    found = group(tmp_path, r1={"seed": 1}, r2={"seed": 2}, r3={"seed": 1, "noise": config.Noise()},
                  r4={"seed": 2, "noise": config.Noise()})  # fmt: skip
    assert len({one.name for one in found}) == 2


@pytest.mark.parametrize("first", [True, False])
def test_a_group_is_not_called_as_a_run_is(tmp_path: Path, first: bool) -> None:
    alone = {"wide": {"noise": config.Noise()}}
    several = {"wide-s1": {"seed": 1}, "wide-s2": {"seed": 2}}
    found = group(tmp_path, **(alone | several if first else several | alone))
    assert sorted(one.name for one in found) == ["wide", "wide-s1 …"]


def test_names_that_differ_at_their_ends_alone_differ() -> None:
    names = unique([Path("/a", f"{'wide' * 40}{end}") for end in "12"])
    assert names == ["wide" * 40 + "1", "wide" * 40 + "2"]
