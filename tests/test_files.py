import os
import stat
from pathlib import Path

import pytest

from mainstem import files
from mainstem.errors import BadInput


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    entry = files.write_atomic(path, b"new bytes")
    assert path.read_bytes() == b"new bytes"
    assert entry == files.measure(path)
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_bytes_are_synced_before_the_name_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> None:
        events.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    files.write_atomic(tmp_path / "a", b"1")
    assert events == ["file", "name", "folder"]
    events.clear()
    with files.new_folder(tmp_path / "step-1") as new:
        files.write_synced(new / "x", b"1")
    assert events == ["file", "folder", "name", "folder"]


def test_links_are_not_followed_on_write(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"keep me")
    (tmp_path / "a").symlink_to(victim)
    files.write_atomic(tmp_path / "a", b"1")
    assert victim.read_bytes() == b"keep me"
    (tmp_path / ".new-b").symlink_to(victim)
    with pytest.raises(OSError):
        files.write_atomic(tmp_path / "b", b"1")
    assert victim.read_bytes() == b"keep me"


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "step-1"
    opened = files.new_folder(target)
    files.write_synced(opened.__enter__() / "x", b"1")
    assert not target.exists()
    assert not opened.__exit__(RuntimeError, RuntimeError(), None)
    assert os.listdir(tmp_path) == []
    for content in (b"1", b"2"):
        with files.new_folder(target) as new:
            files.write_synced(new / "x", content)
    assert (target / "x").read_bytes() == b"2"
    assert os.listdir(tmp_path) == ["step-1"]


def test_sweep_removes_what_kills_left_and_nothing_else(tmp_path: Path) -> None:
    for name in (".new-a", ".old-b-0", "new-c", ".newer"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / ".new-folder").mkdir()
    (tmp_path / ".new-folder" / "x").write_bytes(b"1")
    outside = tmp_path / "keep"
    outside.mkdir()
    (tmp_path / ".old-link").symlink_to(outside)
    files.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".newer", "keep", "new-c"]


def test_a_name_goes_before_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "step-1"
    target.mkdir()
    (target / "x").write_bytes(b"1")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    files.remove(target)
    assert os.listdir(tmp_path) == [".old-step-1-0"]


def test_reading_refuses_what_is_no_small_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(BadInput, match="not a regular file"):
        files.read(fifo, 10)
    (tmp_path / "big").write_bytes(b"12345")
    assert files.read(tmp_path / "big", 5) == b"12345"
    with pytest.raises(BadInput, match="5 bytes"):
        files.read(tmp_path / "big", 4)
    with pytest.raises(BadInput, match="No such file"):
        files.read(tmp_path / "none", 4)


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:3]))
    files.write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"
