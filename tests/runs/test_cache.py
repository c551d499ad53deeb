import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstem import config, train
from mainstem.data.store import find
from mainstem.errors import BadInput
from mainstem.runs.cache import cache_folder, used
from mainstem.runs.run_folder import RunFolder


def _file(path: Path) -> str:
    path.write_text("")
    return str(path)


def _holding(what: Callable[[Path], object]) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        path.mkdir()
        what(path / "mainstem")
        return str(path)

    return make


UNUSABLE: dict[str, Callable[[Path], str]] = {
    "a file": _file,
    "below a file": lambda path: _file(path) + "/deep/er",
    "relative": lambda path: "cache",
    "too long a name": lambda path: str(path / ("x" * 300)),
    "too long a path": lambda path: str(path) + "/deep" * 800,
    "a file in it": _holding(Path.touch),
    "a FIFO in it": _holding(os.mkfifo),
    "a dead link in it": _holding(lambda path: path.symlink_to("nowhere")),
    "a circle": lambda path: str(path.symlink_to(path) or path),
    "empty": lambda path: "",
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_where_no_cache_can_be_it_is_the_runs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, variable: str
) -> None:
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    value = UNUSABLE[kind](tmp_path / "place")
    if variable == "HOME" and kind.endswith("in it"):
        (tmp_path / "place").rename(tmp_path / ".cache")
        value = str(tmp_path)
    monkeypatch.setenv(variable, value)
    assert cache_folder(RunFolder(tmp_path / "run")) == tmp_path / "run" / "cache"


def test_a_run_with_a_cache_of_its_own_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("the river carries what every tributary adds " * 30)
    model = config.Model(layers=1, width=8, heads=1, context=8)
    run = config.Run(
        out="run",
        data=config.Data(paths=["text"]),
        model=model,
        train=config.Train(steps=1, batch=1),
        machine=config.Machine(threads=1),
    )
    train.run(run)
    assert sorted(os.listdir(tmp_path)) == ["run", "text"]
    (tokens,) = (tmp_path / "run" / "cache").glob("tokens-*")
    assert find(tokens.parent, tokens.name) is not None


def test_no_right_to_look_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root runs the tests at times, whom no mode keeps out: the system's answer is given in its place."""
    stat = os.stat

    def closed(path: Path, **more: object) -> os.stat_result:
        if str(path).startswith(str(tmp_path / "home")):
            raise PermissionError(13, "Permission denied")
        return stat(path)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    monkeypatch.setattr(os, "stat", closed)
    assert cache_folder(RunFolder(tmp_path / "run")) == tmp_path / "run" / "cache"


def test_the_users_cache_is_taken_where_it_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "deep" / "er"))
    assert cache_folder(RunFolder(tmp_path / "run")) == tmp_path / "deep" / "er" / "mainstem"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder(RunFolder(tmp_path / "run")) == tmp_path / ".cache" / "mainstem"


def test_what_is_refused_leaves_no_folder_and_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    (tmp_path / "text").write_text("short " * 10)
    (tmp_path / "empty").mkdir()
    for out in ("new", "empty"):
        long = config.Model(layers=1, width=8, heads=1, context=100)
        run = config.Run(out=str(tmp_path / out), data=config.Data(paths=[str(tmp_path / "text")]), model=long)
        with pytest.raises(BadInput, match=r"model\.context"):
            train.run(run)
    short = config.Model(layers=1, width=8, heads=1, context=8)
    train.plan(config.Run(out=str(tmp_path / "new"), data=run.data, model=short))
    assert sorted(os.listdir(tmp_path)) == ["empty", "text"]
    assert os.listdir(tmp_path / "empty") == []


def test_a_cache_that_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    folder = RunFolder(tmp_path)
    (tmp_path / "cache").mkdir()
    with used(folder) as cache:
        assert cache == tmp_path / "cache"
    assert cache.is_dir()
