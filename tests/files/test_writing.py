import errno
import fcntl
import functools
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mainstem import files
from mainstem.errors import BadInput, RunFailed
from mainstem.files import writing


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
    (tmp_path / f".new-{os.getpid()}-0").symlink_to(victim)
    files.write_atomic(tmp_path / "b", b"1")
    assert victim.read_bytes() == b"keep me"
    assert (tmp_path / "b").read_bytes() == b"1"
    (tmp_path / "c").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):  # in a folder into which several processes write their parts
        files.write_synced(tmp_path / "c", b"1")
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


class Killed(BaseException):
    """A process has been killed: nothing that it would have done on an error is done."""


def _killed(monkeypatch: pytest.MonkeyPatch, fatal: int, target: Path) -> bool:
    """Write `target` again and be killed before call number `fatal` that names, syncs or deletes; False: never."""
    left = fatal

    def counted(real: Any, *args: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Killed
        return real(*args, **more)

    with monkeypatch.context() as patch:
        for name in ("open", "fsync", "replace", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, functools.partial(counted, getattr(os, name)))
        patch.setattr(writing, "exchange", functools.partial(counted, writing.exchange))
        try:
            with files.new_folder(target) as new:
                files.write_synced(new / "x", b"new")
        except Killed:
            return True
    return False


@pytest.mark.parametrize("exchanging", [True, False], ids=["names are exchanged", "names cannot be exchanged"])
def test_a_kill_at_any_call_leaves_the_old_folder_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanging: bool
) -> None:
    if not exchanging:
        monkeypatch.setattr(writing, "exchange", lambda *_: False)
    found, killed = [], True
    while killed:
        folder = tmp_path / str(len(found))
        folder.mkdir()
        target = folder / "step-1"
        with files.new_folder(target) as new:
            files.write_synced(new / "x", b"old")
        killed = _killed(monkeypatch, 1 + len(found), target)
        whole_at_once = (target / "x").exists()
        files.sweep(folder)
        assert os.listdir(folder) == ["step-1"]
        found.append((whole_at_once, (target / "x").read_bytes()))
    contents = [content for _, content in found]
    assert contents == sorted(contents, reverse=True)  # once it is the new one, it stays
    assert set(contents) == {b"old", b"new"} and len(found) > 10
    assert all(there for there, _ in found) == writing.exchange(tmp_path / "0", tmp_path / "1")


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, real = tmp_path / "step-1", os.replace
    with files.new_folder(target) as new:
        files.write_synced(new / "x", b"old")

    def refuse(source: Path, place: Path) -> None:
        if source.name.startswith(".new-"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, place)

    monkeypatch.setattr(writing, "exchange", lambda *_: False)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="Input/output error"), files.new_folder(target) as new:
        files.write_synced(new / "x", b"new")
    assert os.listdir(tmp_path) == ["step-1"]
    assert (target / "x").read_bytes() == b"old"


def test_what_was_set_aside_goes_where_the_new_one_has_its_name(tmp_path: Path) -> None:
    for name in (".aside-step-1", "step-1", ".aside-step-2", ".aside-"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    before = {name: path.name for name, path in files.names(tmp_path).items()}
    assert before == {"step-1": "step-1", "step-2": ".aside-step-2"}
    files.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".aside-", "step-1", "step-2"]
    assert {name: path.name for name, path in files.names(tmp_path).items()} == {name: name for name in before}
    assert (tmp_path / "step-1" / "x").read_text() == "step-1"
    assert (tmp_path / "step-2" / "x").read_text() == ".aside-step-2"


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


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data)[:3]))
    files.write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_many_write_one_file_at_once_and_the_last_one_stands(tmp_path: Path) -> None:
    path, errors = tmp_path / "page.html", []

    def write(number: int) -> None:
        for _ in range(20):
            try:
                files.write_atomic(path, bytes([number]) * 1000)
                files.sweep(tmp_path)  # as a run does when it is resumed meanwhile
            except OSError as error:
                errors.append(error)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert errors == []
    assert os.listdir(tmp_path) == ["page.html"]
    assert path.read_bytes() in {bytes([number]) * 1000 for number in range(8)}


def test_sweep_leaves_a_file_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def swept(source: Path, target: Path) -> None:
        files.sweep(tmp_path)
        replace(source, target)

    monkeypatch.setattr(os, "replace", swept)
    files.write_atomic(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_file_that_was_swept_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, done = fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not done:
            done.append(True)
            files.sweep(tmp_path)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    files.write_atomic(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["a"]


def test_a_name_may_be_as_long_as_names_may_be(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / ("n" * 255), b"1")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_where_no_file_can_be_written_is_a_sentence_before_and_after_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    places = ["file/page.html", "n" * 300, "n" * 300 + "/page.html", "a\0b", ".", "loop/page.html"]
    for place in places:
        for write in (files.check_target, lambda path: files.write_text(path, "x")):
            with pytest.raises(BadInput, match="cannot be written"):
                write(tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]
    assert files.write_text(tmp_path / "page.html", "x").read_text() == "x"
    assert files.check_target(tmp_path / "page.html") == tmp_path / "page.html"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_place_that_only_seems_writable_is_told_before_the_work() -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        files.check_folder(Path("/proc/run"))


def test_looking_leaves_nothing(tmp_path: Path) -> None:
    files.check_folder(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_no_fault_of_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunFailed, match="the disk is full"):
        files.write_text(tmp_path / "a", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    for check in (files.check_folder, files.check_target):
        with pytest.raises(BadInput, match="not writable"):
            check(tmp_path / "x")
    tmp_path.chmod(0o700)


def test_what_is_no_file_is_not_written_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(os.devnull)
    for name in ("pipe", "link"):
        for write in (files.check_target, lambda path: files.write_text(path, "x")):
            with pytest.raises(BadInput, match="it is a pipe or a device"):
                write(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_where_no_lock_tells_only_what_is_old_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # as NFS does to who only reads

    for name in (".new-file", ".new-file-old", ".old-file"):
        (tmp_path / name).write_bytes(b"1")
    for name in (".new-folder", ".new-folder-old"):
        (tmp_path / name).mkdir()
    for name in (".new-file-old", ".new-folder-old"):
        os.utime(tmp_path / name, (0, 0))
    monkeypatch.setattr(fcntl, "flock", refuse)
    files.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".new-file", ".new-folder"]
    files.write_atomic(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"
