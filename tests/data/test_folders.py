import os
from pathlib import Path

import pytest

from mainstem.data import folders
from mainstem.data.folders import of_system, walk
from mainstem.data.left_out import LeftOut
from mainstem.errors import BadInput

from .test_sources import fill, names


def seen(root: Path, hidden: bool = False) -> tuple[list[str], dict[str, int]]:
    left = LeftOut()
    found = ["/".join(parts) for _, parts in walk(root, lambda parts: not parts[-1].endswith(".log"), hidden, left)]
    return found, left.counts()


def test_a_project_is_read_without_what_is_not_its_text(tmp_path: Path) -> None:
    fill(
        tmp_path, "README.md", "src/a.py", "src/__pycache__/a.pyc", "node_modules/x/index.js", "venv/pyvenv.cfg",
        "venv/a.py", ".git/HEAD", ".gitignore", ".hidden.log", "target/CACHEDIR.TAG", "target/o.txt", "runs/last",
        "runs/first/config.yaml", "config.yaml", "deep/own/config.yaml", "deep/own/lock", "deep/not/config.yaml",
        "deep/not/a",
    )  # fmt: skip
    found = ["README.md", "config.yaml", "deep/not/a", "deep/not/config.yaml", "src/a.py"]
    assert seen(tmp_path) == (found, {"hidden": 2, "runs": 2, "packages": 4})


@pytest.mark.parametrize("mark", ["metrics.jsonl", "checkpoints/x", "lock", "model.safetensors"])
def test_the_folder_of_a_run_is_known_by_its_files(tmp_path: Path, mark: str) -> None:
    fill(tmp_path, "a", "first/config.yaml", "second/config.yaml", f"second/{mark}", f"third/{mark}")
    assert seen(tmp_path)[1] == {"runs": 1}


def test_a_folder_that_is_given_is_read_whatever_it_is(tmp_path: Path) -> None:
    for name in ("runs", "node_modules", ".hidden"):
        assert names(fill(tmp_path / name, "CACHEDIR.TAG", "a")) == ["CACHEDIR.TAG", "a"]


def test_links_into_the_system_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    (tmp_path / "cpus").symlink_to("/proc/cpuinfo")
    (tmp_path / "self").symlink_to("/proc/self")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert seen(tmp_path) == (["a"], {"system": 2, "special": 1})
    with pytest.raises(BadInput, match="'/proc/self' is a folder of the system"):
        names(Path("/proc/self"))


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/proc", True),
        ("/proc/1/fd", True),
        ("/process", False),
        ("/sys/a", True),
        ("/dev/shm/a", False),
        ("/", False),
    ],
)
def test_what_is_the_systems(path: str, inside: bool) -> None:
    assert of_system(path) is inside


def test_what_cannot_be_entered_is_left_out_and_a_root_of_that_kind_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root runs the tests at times, whom no mode keeps out: the system's answer is given in its place."""
    fill(tmp_path, "a", "closed/b")
    scan = os.scandir

    def scandir(path: Path) -> object:
        if path == tmp_path / "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(folders.os, "scandir", scandir)
    assert seen(tmp_path) == (["a"], {"unreadable": 1})
    with pytest.raises(BadInput, match=r"closed' cannot be read \(Permission denied\)"):
        names(tmp_path / "closed")


def test_paths_that_the_system_does_not_take_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "text")
    monkeypatch.chdir(tmp_path)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    Path("deep").write_text("deep")
    os.chdir(tmp_path)
    assert seen(tmp_path) == (["text"], {"unreadable": 1})
