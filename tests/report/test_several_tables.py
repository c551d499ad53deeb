"""The rows of a comparison: every run's own numbers, means with their spread, and the fields that differ."""

from __future__ import annotations

import json
import re
from pathlib import Path

import run_folders
from run_folders import Made

from mainstem import config
from mainstem.report import source
from mainstem.report.groups import Group, grouped
from mainstem.report.several_tables import differences, numbers


def made(root: Path, *losses: float, name: str = "a", **settings: object) -> list[Path]:
    """Runs whose best held-out losses are given, each with a seed of its own."""
    folders = []
    for i, nats in enumerate(losses):
        folder = run_folders.make(root / f"{name}{i}", Made(20, 10, 10, layers=1, seed=i), seed=i, **settings)
        facts = json.loads((folder / "facts.json").read_text())
        facts["outcome"]["best"] |= {"nats_per_token": nats, "bits_per_byte": nats / 2}
        (folder / "facts.json").write_text(json.dumps(facts))
        folders.append(folder)
    return folders


def group(folders: list[Path]) -> list[Group]:
    return grouped([source.read(folder) for folder in folders], folders)


def test_means_have_the_standard_deviation_of_the_seeds(tmp_path: Path) -> None:
    means, every = numbers(group(made(tmp_path, 1.0, 1.2, 1.7)))
    (row,) = means.rows
    assert row[:4] == ["a", "3", "1.3000 ± 0.3606", "0.6500 ± 0.1803"]
    assert row[means.heads.index("parameters")] == "1.21M", "what does not vary has no spread"
    gaps = [line[every.heads.index("gap at last")] for line in every.rows]
    assert all(re.fullmatch(r"\S+ \(\S+ to \S+\)", gap) for gap in gaps)
    assert [line[:2] for line in every.rows] == [["a0", "1.0000"], ["a1", "1.2000"], ["a2", "1.7000"]]
    assert all(len(line) == len(every.heads) for line in every.rows)


def test_runs_of_one_seed_each_need_no_means(tmp_path: Path) -> None:
    folders = made(tmp_path, 1.0) + made(tmp_path, 2.0, name="b", noise=config.Noise())
    (every,) = numbers(group(folders))
    assert len(every.rows) == 2
    (folders[1] / "facts.json").unlink()
    (folders[1] / "metrics.jsonl").unlink()
    (every,) = numbers(group(folders))
    assert every.rows[1][1:5] == ["–", "–", "–", "–"]


def test_only_fields_that_differ_are_rows(tmp_path: Path) -> None:
    found = differences(group(made(tmp_path, 1.0) + made(tmp_path, 2.0, name="b", train=config.Train(steps=7))))
    assert not isinstance(found, str)
    assert list(found.heads) == ["", "a0", "b0"]
    assert ["train.steps", "20", "7"] in list(found.rows)
    assert "seed" not in [row[0] for row in found.rows]
    assert (
        differences(group(made(tmp_path / "x", 1.0, 2.0))) == "Nothing but the seed: the configurations are the same."
    )


def test_what_a_sample_says_stands_with_its_error(tmp_path: Path) -> None:
    (folder,) = made(tmp_path, 1.0)
    found = json.loads((folder / "facts.json").read_text())
    found["outcome"]["best"]["error"] = 0.0321
    (folder / "facts.json").write_text(json.dumps(found))
    (every,) = numbers(group([folder]))
    assert every.rows[0][1] == "1.0000 ± 0.032"
