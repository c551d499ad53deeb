"""A result names the commit that computed it, and says where files were changed since."""

import subprocess
from pathlib import Path

import pytest

from mainstem.lab import commit as named


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_a_changed_tree_has_a_plus_and_an_installed_package_no_commit(tmp_path, monkeypatch: pytest.MonkeyPatch):
    here = tmp_path / "commit.py"
    here.write_text("")
    monkeypatch.setattr("mainstem.lab.commit._HERE", here)
    git(tmp_path, "init")
    assert named.commit() is None  # inside somebody's repository, but not of it
    git(tmp_path, "add", "commit.py")
    git(tmp_path, "commit", "-m", "m")
    clean = named.commit()
    assert clean is not None
    assert len(clean) == 40
    here.write_text("changed")
    assert named.commit() == clean + "+"
