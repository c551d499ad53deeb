import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstem.data import store
from mainstem.errors import BadInput


def fill(folder: Path) -> dict[str, Any]:
    writer = store.Writer(folder / "a")
    writer.append(np.arange(10, dtype="<i8"))
    writer.append(np.arange(3, dtype="<i8"))
    return {"files": {"a": writer.finish()}, "more": 1}


def test_what_was_made_is_found(tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "cache"
    assert store.find(cache, "x") is None
    made = store.make(cache, "x", fill)
    found = store.find(cache, "x")
    assert found is not None
    assert found["more"] == made["more"] == 1
    assert np.fromfile(cache / "x" / "a", "<i8").tolist() == [*range(10), *range(3)]
    assert [child.name for child in cache.iterdir()] == ["x"]


@pytest.mark.parametrize("file", ["a", store.MANIFEST])
@pytest.mark.parametrize("damage", ["flipped", "cut", "extended", "emptied", "deleted", "altered"])
def test_damage_is_noticed_and_made_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, damage: str
) -> None:
    store.make(tmp_path, "x", fill)
    path = tmp_path / "x" / file
    good = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    else:
        middle = len(good) // 2
        bad = {
            "flipped": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
            "cut": good[:-1],
            "extended": good + b"\0",
            "altered": good.replace(b'"more":1', b'"more":2').replace(b"\x01", b"\x02"),
        }
        path.write_bytes(bad.get(damage, b""))
    assert store.find(tmp_path, "x") is None
    assert "is damaged" in caplog.text
    store.make(tmp_path, "x", fill)
    assert path.read_bytes() == good
    assert [child.name for child in tmp_path.iterdir()] == ["x"]


def test_nothing_is_left_where_filling_fails(tmp_path: Path) -> None:
    def fail(folder: Path) -> dict[str, Any]:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.make(tmp_path, "x", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    def fail(folder: Path) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    with pytest.raises(BadInput, match=r"cannot be written \(No space left on device\): make room"):
        store.make(tmp_path, "x", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        store.make(tmp_path / "file", "x", fill)


def test_what_a_kill_left_is_swept_and_work_in_progress_is_not(tmp_path: Path) -> None:
    for name in (".new-x-dead", ".new-y-alive", ".old-z-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_text("part")
    (tmp_path / ".new-file").write_text("cut")
    descriptor = os.open(tmp_path / ".new-y-alive", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        store.make(tmp_path, "x", fill)
    finally:
        os.close(descriptor)
    assert sorted(child.name for child in tmp_path.iterdir()) == [".new-y-alive", "x"]


def test_a_folder_that_goes_while_it_is_looked_at_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has finished removes a folder of its own without the cache's lock, while we look at it."""
    (tmp_path / ".new-y-done").mkdir()
    opened = os.open

    def late(path: Any, *more: Any, **named: Any) -> int:
        if Path(path).name == ".new-y-done":
            Path(path).rmdir()
        return opened(path, *more, **named)

    monkeypatch.setattr(os, "open", late)
    store.make(tmp_path, "x", fill)
    assert [child.name for child in tmp_path.iterdir()] == ["x"]


def test_who_is_second_takes_what_the_first_has_made(tmp_path: Path) -> None:
    def slow(folder: Path) -> dict[str, Any]:
        store.make(tmp_path, "x", fill)
        return {**fill(folder), "more": 2}

    assert store.make(tmp_path, "x", slow)["more"] == 1
    assert [child.name for child in tmp_path.iterdir()] == ["x"]


def test_those_who_share_a_cache_without_locks_leave_each_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # as NFS does for a folder

    def together(folder: Path) -> dict[str, Any]:
        store.make(tmp_path, "y", fill)  # another process begins, and sweeps
        return fill(folder)

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert store.make(tmp_path, "x", together)["more"] == 1
    assert sorted(child.name for child in tmp_path.iterdir()) == ["x", "y"]


def _many(cache: Path) -> None:
    for number in range(10):
        store.make(cache, f"x{number}", fill)
        assert store.find(cache, f"x{number}") is not None


def test_those_who_share_a_cache_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Locks belong to open files, not to processes, so that threads are as good a test."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(_many, tmp_path) for _ in range(4)]:
            done.result()
    assert sorted(child.name for child in tmp_path.iterdir()) == [f"x{number}" for number in range(10)]
