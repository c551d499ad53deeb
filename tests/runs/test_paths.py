"""Which folder a path means, and where the data of a stored run is now."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from mainstem import config, files, runs
from mainstem.errors import BadInput, command
from mainstem.runs.paths import typed


def _stored(folder: Path, *paths: str) -> Path:
    folder.mkdir(parents=True)
    run = runs.recorded(config.load({"data.paths": list(paths)}), folder)
    (folder / "config.yaml").write_text(config.dump(run))
    return folder


def test_last_is_the_newest_and_a_link_to_its_name(tmp_path: Path) -> None:
    first, second = _stored(tmp_path / "runs" / "a"), _stored(tmp_path / "runs" / "b c")
    for folder in (first, second, first):
        assert runs.point(folder) is None
        assert os.readlink(tmp_path / "runs" / "last") == folder.name
        assert runs.find(tmp_path / "runs" / "last") == folder
    assert sorted(os.listdir(tmp_path / "runs")) == ["a", "b c", "last"]


def test_the_name_of_a_run_below_runs_is_answered_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _stored(Path("runs", "first"))
    with pytest.raises(BadInput, match=r"no run at 'first': did you mean runs/first\?$"):
        runs.find("first")
    with pytest.raises(BadInput, match=r"no run at 'second': give the folder that was the --out of a training\.$"):
        runs.find("second")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "name", ["first", "my run", "-r", "--r", "it's", "two\nlines", "tab\t'\\", "\x1b[2J", "ü\u200b"]
)
def test_a_command_that_is_offered_names_the_folder_in_one_line_and_as_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    offered = command("sample", typed(tmp_path / name))
    assert offered.isprintable()
    found = subprocess.run(["bash", "-c", f"mainstem() {{ printf '%s' \"$2\"; }}; {offered}"], capture_output=True)
    assert os.path.normpath(found.stdout.decode()) == name and found.stdout[:1] != b"-"


def test_where_links_cannot_be_made_it_is_a_text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    folder, other = _stored(tmp_path / "runs" / "a"), _stored(tmp_path / "runs" / "b")
    assert runs.point(other) is None
    monkeypatch.setattr(os, "symlink", refused)
    assert runs.point(folder) is None
    last = tmp_path / "runs" / "last"
    assert not last.is_symlink()
    assert last.read_text() == "a\n"
    assert runs.find(last) == folder
    monkeypatch.undo()
    assert runs.point(other) is None
    assert runs.find(last) == other


@pytest.mark.parametrize("text", ["", "../outside", "/etc", "a\nb", "..", "absent", "\xff" * 3, "x" * 5000])
def test_a_text_file_that_names_no_run_beside_it_is_none(tmp_path: Path, text: str) -> None:
    _stored(tmp_path / "outside")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "last").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"There is no run at '.*last'"):
        runs.find(tmp_path / "runs" / "last")


def test_a_link_to_a_run_that_has_gone_says_which(tmp_path: Path) -> None:
    folder = _stored(tmp_path / "a")
    runs.point(folder)
    shutil.rmtree(folder)
    with pytest.raises(BadInput, match=r"There is no run at '.*last', which stands for '.*/a'"):
        runs.find(tmp_path / "last")


def test_a_folder_called_last_is_left_as_it_is(tmp_path: Path) -> None:
    old, new = _stored(tmp_path / "last"), _stored(tmp_path / "a")
    before = (old / "config.yaml").read_bytes()
    said = runs.point(new)
    assert said is not None
    assert "is a folder of its own" in said
    assert "rename it, and it will" in said
    assert (old / "config.yaml").read_bytes() == before
    assert runs.find(old) == old


def test_eight_at_once_leave_one_link_and_nothing_else(tmp_path: Path) -> None:
    folders = [_stored(tmp_path / f"run-{number}") for number in range(8)]
    start, said = threading.Barrier(8), []

    def point(folder: Path) -> None:
        start.wait()
        said.extend(runs.point(folder) for _ in range(20))

    threads = [threading.Thread(target=point, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [None] * 160
    assert runs.find(tmp_path / "last") in folders
    assert sorted(os.listdir(tmp_path)) == ["last", *(folder.name for folder in folders)]


def test_what_a_kill_left_of_a_link_is_used_up(tmp_path: Path) -> None:
    os.symlink("nothing", tmp_path / f"{files.NEW}last")
    folder = _stored(tmp_path / "a")
    assert runs.point(folder) is None
    assert sorted(os.listdir(tmp_path)) == ["a", "last"]


def test_data_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "corpus.txt").write_text("stem")
    monkeypatch.chdir(tmp_path / "work")
    folder = _stored(Path("runs") / "a", "corpus.txt")
    monkeypatch.chdir(tmp_path)
    run = runs.stored("work" / folder)
    assert run.data.paths == ["work/corpus.txt"]
    assert run.out == "work/runs/a"
    runs.check_data(run.data.paths, run.out)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert runs.stored(tmp_path / "work" / folder).data.paths == [str(tmp_path / "work" / "corpus.txt")]


def test_data_that_has_moved_with_its_run_is_found_and_else_named(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "corpus.txt").write_text("stem")
    _stored(tmp_path / "old" / "runs" / "a", str(tmp_path / "old" / "corpus.txt"))
    (tmp_path / "old").rename(tmp_path / "new")
    moved = runs.stored(tmp_path / "new" / "runs" / "a")
    assert moved.data.paths == [str(tmp_path / "new" / "corpus.txt")]
    (tmp_path / "new" / "corpus.txt").rename(tmp_path / "elsewhere.txt")
    gone = runs.stored(tmp_path / "new" / "runs" / "a")
    assert gone.data.paths == [str(tmp_path / "old" / "corpus.txt")]
    with pytest.raises(
        BadInput, match=r"old/corpus\.txt', which the run in .* is no longer there: say by --data\.paths"
    ):
        runs.check_data(gone.data.paths, gone.out)


def test_a_folder_that_moves_alone_still_finds_its_data(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("stem")
    folder = _stored(tmp_path / "runs" / "a", str(tmp_path / "corpus.txt"))
    folder.rename(tmp_path / "b")
    assert runs.stored(tmp_path / "b").data.paths == [str(tmp_path / "corpus.txt")]


def test_initial_weights_are_those_that_last_meant_at_the_start(tmp_path: Path) -> None:
    first, second = _stored(tmp_path / "a"), _stored(tmp_path / "b")
    runs.point(first)
    run = runs.settled(config.load({"train.init_from": str(tmp_path / "last")}))
    runs.point(second)
    assert run.train.init_from == str(first)
    assert runs.settled(config.load()).train.init_from is None


def test_a_working_folder_that_yaml_cannot_name_leaves_paths_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(strange)
    monkeypatch.chdir(os.fsdecode(strange))
    run = runs.recorded(config.load({"data.paths": ["corpus.txt"]}), Path("runs/a"))
    assert (run.data.paths, run.out) == (["corpus.txt"], "runs/a")
    assert config.dump(run).encode()


def test_what_others_may_see_has_no_folder_above_the_run(tmp_path: Path) -> None:
    run = config.load(
        {"data.paths": [str(tmp_path / "a b.txt"), "/far/c.txt"], "train.init_from": str(tmp_path / "runs/y")}
    )
    run = config.override(run, {"loss.name": "distillation", "loss.teacher": str(tmp_path / "runs/z")})
    text = config.dump(runs.recorded(run, tmp_path / "runs" / "@x"))
    shown = runs.public(text, config.read(text))
    assert str(tmp_path) not in shown
    assert config.read(shown)["loss"]["teacher"] == "./z"
    tree = config.read(shown)
    assert (tree["out"], tree["train"]["init_from"], tree["data"]["paths"][0]) == ("./@x", "./y", "../a b.txt")
    assert runs.public("seed: 3", {"seed": 3}) == "seed: 3"
    for odd in (
        {"out": 3},
        {"out": "/x", "data": [], "train": {"init_from": 7}},
        {"out": "/x", "data": {"paths": [[1]]}},
    ):
        assert runs.public("seed: 3", odd) == "seed: 3"


def test_files_of_ones_own_that_are_held_out_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("x")
    run = config.Run(data=config.Data(paths=["a.txt"], held_out_paths=["b.txt"]))
    folder = tmp_path / "runs" / "x"
    kept = runs.recorded(run, folder)
    assert kept.data.held_out_paths == [str(tmp_path / "b.txt")]
    assert str(tmp_path) not in runs.public(config.dump(kept), config.read(config.dump(kept)))
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config.dump(kept))
    assert runs.stored(folder).data.held_out_paths == ["b.txt"]
