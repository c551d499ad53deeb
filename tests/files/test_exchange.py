"""Two names that change places, or stay as they are where the system cannot do that."""

import ctypes
import sys
from pathlib import Path

import pytest

from mainstem.files.exchange import exchange


def _two(folder: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "says").write_text(name)
    return folder / "a", folder / "b"


def _said(*folders: Path) -> list[str]:
    return [(folder / "says").read_text() for folder in folders]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges names")
def test_two_folders_change_places(tmp_path: Path) -> None:
    a, b = _two(tmp_path)
    if not exchange(a, b):
        pytest.skip("this file system does not exchange names")
    assert _said(a, b) == ["b", "a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_what_is_not_there_changes_places_with_nothing(tmp_path: Path) -> None:
    a, b = _two(tmp_path)
    assert not exchange(a, tmp_path / "c")
    assert not exchange(tmp_path / "c", b)
    assert _said(a, b) == ["a", "b"]


@pytest.mark.parametrize(("platform", "library"), [("darwin", None), ("linux", object())])
def test_where_it_cannot_be_done_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, library: object
) -> None:
    a, b = _two(tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert not exchange(a, b)
    assert _said(a, b) == ["a", "b"]
