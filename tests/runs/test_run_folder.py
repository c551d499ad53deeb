import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstem import config
from mainstem.errors import BadInput
from mainstem.runs import run_folder


def _run(out: Path, **train: Any) -> config.Run:
    return config.Run(out=str(out), train=config.Train(**train))


def _begin(run: config.Run) -> run_folder.RunFolder:
    folder, there = run_folder.inspect(run, resume=False)
    assert not there
    with run_folder.claim(run, folder):
        pass
    return folder


def _listing(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_config_appears_first_and_is_the_whole_tree(tmp_path: Path) -> None:
    run = _run(tmp_path / "a" / "b", steps=5)
    folder = _begin(run)
    assert sorted(os.listdir(folder.path)) == ["config.yaml", "lock"]
    assert config.read(folder.config.read_text()) == config.read(config.dump(run))
    assert run_folder.inspect(run, resume=True) == (folder, True)
    assert run_folder.inspect(run, resume=False) == (folder, True)


def test_a_run_from_before_a_field_was_there_goes_on_with_its_default(tmp_path: Path) -> None:
    run = config.resolve(_run(tmp_path / "r", steps=5))
    folder = _begin(run)
    lines = folder.config.read_text().splitlines()
    folder.config.write_text("\n".join(line for line in lines if "embedding: token" not in line) + "\n")
    assert "embedding" not in config.read(folder.config.read_text())["model"]
    assert run_folder.inspect(run, resume=True) == (folder, True)
    changed = config.override(run, {"model.embedding": "ngrams"})
    with pytest.raises(BadInput, match=r"\(model\.embedding differ"):
        run_folder.inspect(changed, resume=True)


def test_a_configuration_that_cannot_be_built_is_another_one(tmp_path: Path) -> None:
    run = config.resolve(_run(tmp_path / "r", steps=5))
    folder = _begin(run)
    folder.config.write_text(folder.config.read_text() + "later: {thing: 3}\n")
    with pytest.raises(BadInput, match=r"\(later differ"):
        run_folder.inspect(run, resume=True)


def test_another_configuration_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    folder = _begin(_run(tmp_path / "r", steps=5))
    before = _listing(tmp_path)
    with pytest.raises(BadInput, match=r"train\.batch differ"):
        run_folder.inspect(_run(tmp_path / "r", steps=5, batch=7), resume=True)
    with (
        pytest.raises(BadInput, match="another configuration"),
        run_folder.claim(_run(tmp_path / "r", steps=5, batch=7), folder),
    ):
        pytest.fail("another run's folder was claimed")
    assert _listing(tmp_path) == before


def test_a_run_may_be_extended(tmp_path: Path) -> None:
    folder = _begin(_run(tmp_path / "r", steps=5))
    longer = msgspec.structs.replace(_run(tmp_path / "r", steps=9, patience=3), save=config.Save(every=2))
    before = folder.config.read_bytes()
    assert run_folder.inspect(longer, resume=True)[1]
    with run_folder.claim(longer, folder):
        assert folder.config.read_bytes() == before  # until nothing can refuse it any more
        run_folder.extend(longer, folder)
    assert config.read(folder.config.read_text())["train"]["steps"] == 9


def test_a_second_trainer_is_refused_by_host_and_pid(tmp_path: Path) -> None:
    run = _run(tmp_path / "r")
    folder = _begin(run)
    with run_folder.claim(run, folder):
        second = run_folder.claim(run, folder)
        with pytest.raises(BadInput, match=f"host {socket.gethostname()} pid {os.getpid()}"):
            second.__enter__()
    with run_folder.claim(run, folder):
        pass  # the lock ends with its holder


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    run = _run(tmp_path / "r")
    folder = _begin(run)
    folder.checkpoints.mkdir()
    (folder.checkpoints / ".new-step-5").mkdir()
    (folder.checkpoints / ".new-step-5" / "model.safetensors").write_bytes(b"half")
    (folder.path / ".new-facts.json").write_bytes(b"half")
    with run_folder.claim(run, folder):
        assert sorted(_listing(folder.path)) == ["config.yaml", "lock"]


def test_a_kill_before_config_leaves_a_folder_that_is_as_good_as_none(tmp_path: Path) -> None:
    out = tmp_path / "r"
    out.mkdir()
    (out / "lock").write_bytes(b"")
    (out / ".new-config.yaml").write_bytes(b"see")
    _begin(_run(out))
    (out / "config.yaml").unlink()
    with pytest.raises(BadInput, match=r"no config\.yaml"):
        run_folder.inspect(_run(out), resume=True)


def test_folders_that_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("thesis")
    with pytest.raises(BadInput, match="not the folder of a run"):
        run_folder.inspect(_run(tmp_path), resume=False)
    with pytest.raises(BadInput, match="not a folder"):
        run_folder.inspect(_run(tmp_path / "mine.txt"), resume=False)
    with pytest.raises(BadInput, match="no run at"):
        run_folder.inspect(_run(tmp_path / "none"), resume=True)
    with pytest.raises(BadInput, match=r"cannot be written.*is not a folder"):
        run_folder.inspect(_run(tmp_path / "mine.txt" / "r"), resume=False)
    assert os.listdir(tmp_path) == ["mine.txt"]


@pytest.mark.parametrize("name", ["checkpoints", "last", "metrics.jsonl", "lock", "config.yaml", "facts.json"])
@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_what_has_the_name_of_a_part_and_is_none(tmp_path: Path, name: str, kind: str) -> None:
    run = _run(tmp_path / "r")
    folder = _begin(run)
    path = folder.path / name
    path.unlink(missing_ok=True)
    {"file": path.touch, "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    if kind == ("folder" if name in ("checkpoints", "last") else "file"):
        return
    for enter in (lambda: run_folder.inspect(run, resume=True), run_folder.claim(run, folder).__enter__):
        with pytest.raises(BadInput, match=f"{name}' is no (file|folder)"):
            enter()


def test_links_inside_a_run_are_refused(tmp_path: Path) -> None:
    run = _run(tmp_path / "r")
    folder = _begin(run)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.checkpoints.symlink_to(elsewhere)
    with pytest.raises(BadInput, match="is a link"):
        run_folder.inspect(run, resume=True)


def test_a_config_that_is_no_small_file_is_not_read(tmp_path: Path) -> None:
    run = _run(tmp_path / "r")
    folder = _begin(run)
    folder.config.unlink()
    os.mkfifo(folder.config)
    with pytest.raises(BadInput, match="is no file"):
        run_folder.inspect(run, resume=True)


def test_a_disk_that_is_full_at_the_start_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run(tmp_path / "r")
    folder, _ = run_folder.inspect(run, resume=False)
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(BadInput, match="No space left"), run_folder.claim(run, folder):
        pytest.fail("claimed without a configuration")
