"""Folders for runs that named none."""

import contextlib
import itertools
import os
import threading
import time
from pathlib import Path

import pytest

from mainstem import config
from mainstem.errors import BadInput
from mainstem.runs import new_folder
from mainstem.runs.run_folder import RunFolder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda _: "2026-11-29")


def _begin(stack: contextlib.ExitStack, name: str = "default") -> tuple[config.Run, RunFolder]:
    free = new_folder.places(name)
    folder, there = new_folder.choose(config.Run(), False, free)
    assert not there
    return stack.enter_context(new_folder.claim(config.Run(), folder, free))


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    for number in range(3):
        with contextlib.ExitStack() as stack:
            run, folder = _begin(stack)
        end = f"-{number + 1}" if number else ""
        assert run.out == f"runs/2026-11-29-default{end}"
        assert folder.path == tmp_path / run.out
        stored = config.parse(folder.config.read_bytes())
        assert stored.out == str(folder.path)


def test_two_at_once_never_share_one_and_nothing_is_left_of_the_race() -> None:
    start, found = threading.Barrier(8), []

    def begin(stack: contextlib.ExitStack) -> None:
        free = new_folder.places("default")
        folder, _ = new_folder.choose(config.Run(), False, free)
        start.wait()  # all have chosen the same
        found.append(stack.enter_context(new_folder.claim(config.Run(), folder, free))[1].path.name)

    with contextlib.ExitStack() as stack:
        threads = [threading.Thread(target=begin, args=(stack,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    wanted = ["2026-11-29-default", *(f"2026-11-29-default-{number}" for number in range(2, 9))]
    assert sorted(found) == sorted(wanted)
    assert sorted(os.listdir("runs")) == sorted(wanted)


def test_one_that_ended_before_the_other_claimed_is_not_gone_on_with() -> None:
    free = new_folder.places("default")
    folder, _ = new_folder.choose(config.Run(), False, free)
    with contextlib.ExitStack() as stack:
        _begin(stack)
    with new_folder.claim(config.Run(), folder, free) as (run, _):
        assert run.out == "runs/2026-11-29-default-2"


def test_a_named_folder_that_another_process_has_trained_in_meanwhile_is_left_alone() -> None:
    """It was chosen when it was not there; from step 0 on all that lies there now would be written over."""
    run, free = config.Run(out="a"), new_folder.places("default")
    folder, there = new_folder.choose(run, False, free)
    assert not there
    with new_folder.claim(run, folder, free):
        (folder.checkpoints / "step-4").mkdir(parents=True)
    match = r"'a' has been trained by another process meanwhile: give the command again"
    with pytest.raises(BadInput, match=match), new_folder.claim(run, folder, free):
        pass


def test_what_a_kill_left_before_the_configuration_is_used_and_what_somebody_put_there_is_not() -> None:
    os.makedirs("runs/2026-11-29-default")
    Path("runs/2026-11-29-default/notes.txt").write_text("mine")
    os.makedirs("runs/2026-11-29-default-2")
    Path("runs/2026-11-29-default-2/lock").touch()
    Path("runs/2026-11-29-default-3").write_text("a file")
    with contextlib.ExitStack() as stack:
        assert _begin(stack)[0].out == "runs/2026-11-29-default-2"
        assert _begin(stack)[0].out == "runs/2026-11-29-default-4"
    assert os.listdir("runs/2026-11-29-default") == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my file", "my-file"),
        ("../a/b", "a-b"),
        ("大語料", "大語料"),
        ("\udcff", "run"),
        ("x" * 300, "x" * 60),
        (".", "run"),
    ],
)
def test_names_become_names_of_folders(name: str, said: str) -> None:
    assert next(new_folder.places(name)).path.name == f"2026-11-29-{said}"


def test_a_run_that_names_its_folder_gets_that_one(tmp_path: Path) -> None:
    run = config.Run(out="mine")
    folder, _ = new_folder.choose(run, False, itertools.repeat(RunFolder(tmp_path)))
    with new_folder.claim(run, folder, itertools.repeat(RunFolder(tmp_path))) as (same, place):
        assert (same.out, place.path) == ("mine", tmp_path / "mine")
    assert new_folder.newest(folder) is None
    assert os.listdir() == ["mine"]  # and no folder for runs beside it


def test_runs_under_runs_are_the_newest_however_they_were_named() -> None:
    run = config.Run(out="runs/first")
    folder, _ = new_folder.choose(run, False, new_folder.places("x"))
    with new_folder.claim(run, folder, new_folder.places("x")):
        assert new_folder.newest(folder) is None
    assert os.readlink("runs/last") == "first"


def test_what_cannot_be_used_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="stands for the newest run"):
        new_folder.choose(config.Run(out="runs/last"), False, new_folder.places("x"))
    with pytest.raises(BadInput, match="No folder was given"):
        new_folder.choose(config.Run(), True, new_folder.places("x"))
    Path("runs").write_text("a file")
    with pytest.raises(BadInput, match="is not a folder"):
        new_folder.choose(config.Run(), False, new_folder.places("x"))
    assert os.listdir(tmp_path) == ["runs"]
