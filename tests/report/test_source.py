"""Run folders in which something is missing or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import run_folders

from mainstem.errors import BadInput
from mainstem.report import source


@pytest.mark.parametrize("kind", ["missing", "empty folder", "file"])
def test_what_is_no_run_folder_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "run"
    if kind == "file":
        folder.write_text("x")
    elif kind == "empty folder":
        folder.mkdir()
    with pytest.raises(BadInput, match=r"run' holds no config\.yaml.*give one that is"):
        source.read(folder)


def test_the_configuration_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 3\n")
    run = source.read(tmp_path)
    assert (run.config, run.facts, run.samples, run.notes) == ({"seed": 3}, {}, [], [])


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", '"x"', "nul\x00", "[" * 100_000, '{"outcome": 3}'])
def test_damaged_facts_and_samples_cost_their_part_alone(tmp_path: Path, damage: str) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=20, eval_every=10))
    (folder / "facts.json").write_text(damage)
    (folder / "samples.json").write_text(damage)
    run = source.read(folder)
    assert run.samples == []
    assert run.fact("outcome") == {}
    assert run.metrics.last_step == 20
    ours = {'{"outcome": 3}': ["facts"], "[]": ["samples"]}.get(damage, [])
    named = [note.partition(".json")[0] for note in run.notes]
    assert named == [name for name in ("facts", "samples") if name not in ours]


def test_a_configuration_that_is_not_understood_is_shown_and_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"seed: &a 1\nb: *a\n\xff")
    run = source.read(tmp_path)
    assert run.config == {}
    assert "seed: &a 1" in run.config_text
    assert "config.yaml could not be understood" in run.notes[0]


def test_lines_that_cannot_be_read_are_counted_on_the_page(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=20, eval_every=10))
    with open(folder / "metrics.jsonl", "a") as stream:
        stream.write("nonsense\nmore\n")
    assert source.read(folder).notes == ["Lines of metrics.jsonl that could not be read: 2."]
