"""A run in two processes: one folder, one console, the numbers of one process, and the same bytes after a stop."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_run
import torch
from processes import several, two

from mainstem import train
from mainstem.runs import weights
from mainstem.train.console import Plain

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranks")
    tiny_run.text(path)
    return path


@pytest.fixture(autouse=True)
def _own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def together(folder: Path, out: str, *stop: str) -> list[dict[str, Any]]:
    said = two("run_ranks.py", str(folder), out, *stop)
    assert all(out for out, _ in said), said
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def lines(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "phases")} for line in found]


def test_two_processes_leave_what_one_leaves_and_a_stop_of_either_changes_no_byte(folder: Path) -> None:
    first, second = together(folder, "two")
    assert (first["reason"], first["best"]) == (second["reason"], second["best"])
    assert first["lines"] > 3 and second["lines"] == 0
    given = {"optim": {"average": 0.5}, "train": {"batch": 5}, "evaluate": {"tokens": 64}}
    train.run(tiny_run.run(folder / "corpus.txt", folder / "one", **given), console=Plain(None))
    one, both = lines(folder / "one"), lines(folder / "two")
    assert [line["step"] for line in both] == list(range(1, 9))
    for own, other in zip(one, both, strict=True):
        assert other["loss"] == pytest.approx(own["loss"], rel=1e-5)
        assert other["tokens"] == own["tokens"]
    alone = weights.read(folder / "one" / "model.safetensors")
    for name, tensor in weights.read(folder / "two" / "model.safetensors").items():
        torch.testing.assert_close(tensor, alone[name], rtol=1e-3, atol=1e-5, msg=name)

    stopped = together(folder, "stopped", "3")
    assert [said.get("code") for said in stopped] == [143, 143]
    shutil.copytree(folder / "stopped", folder / "goes on with one")
    shutil.copytree(folder / "stopped", folder / "goes on with four")
    assert [path.name for path in (folder / "stopped" / "checkpoints").iterdir()] == ["step-3"]
    assert [said["reason"] for said in together(folder, "stopped")] == ["steps", "steps"]
    for name in ("model.safetensors", "last/model.safetensors"):
        assert (folder / "stopped" / name).read_bytes() == (folder / "two" / name).read_bytes(), name
    assert lines(folder / "stopped") == both

    warned: list[str] = []
    console = Plain(None)
    console.warn = warned.append  # type: ignore[method-assign]
    train.run(tiny_run.run(folder / "corpus.txt", folder / "goes on with one", **given), console=console)
    assert any("processes 2, now 1" in text for text in warned)
    for own, other in zip(lines(folder / "goes on with one"), both, strict=True):
        assert own["loss"] == pytest.approx(other["loss"], rel=1e-5)
        for name in ("stream", "gradient"):  # norms of the whole batch, not of the leading process's share
            assert own.get(name, []) == pytest.approx(other.get(name, []), rel=1e-4)
    assert any("stream" in line for line in both[3:])


@pytest.mark.slow
def test_a_run_begun_on_two_processes_goes_on_with_four_along_the_same_curve(folder: Path) -> None:
    if not (folder / "two").exists():
        together(folder, "two")
    if not (folder / "goes on with four").exists():
        together(folder, "goes on with four", "3")
    said = several(4, "run_ranks.py", str(folder), "goes on with four")
    assert all('"reason": "steps"' in out for out, _ in said), said
    for own, other in zip(lines(folder / "goes on with four"), lines(folder / "two"), strict=True):
        assert own["loss"] == pytest.approx(other["loss"], rel=1e-5)


def test_a_process_killed_in_the_last_checkpoint_in_parts_is_named_at_once_and_the_run_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No training goes on then in which the others would meet, and no launcher says that it is gone."""
    monkeypatch.setenv("ENDS", "1:6")  # the first of its four syncs in the second and last checkpoint is the fifth
    (_, leading), (out, _) = two("run_ranks.py", str(folder), "vanished", "0", "", "shard")
    assert not out, "it was not killed"
    assert "Process 1 of 2 has ended, killed or without memory; saved at step 4. Go on with:" in leading
    monkeypatch.delenv("ENDS")
    said = together(folder, "vanished", "0", "", "shard")
    assert [each["reason"] for each in said] == ["steps", "steps"]


def test_a_budget_is_that_of_the_process_that_leads(folder: Path) -> None:
    first, second = together(folder, "timed", "0", "4s")
    assert first["reason"] == second["reason"] == "steps"
    assert first["best"] == second["best"]
    length = json.loads((folder / "timed" / "facts.json").read_text())["length"]
    assert len(lines(folder / "timed")) == length["steps"] > length["since"] > 0


def test_where_nothing_begins_no_process_waits(folder: Path) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "notes.txt").write_text("somebody's")
    (_, leading), (_, following) = two("run_ranks.py", str(folder), "full")
    assert "holds no config.yaml" in leading
    assert "BadInput: Process 0 of 2: " in following
    assert "holds no config.yaml" in following
