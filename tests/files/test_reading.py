import os
from pathlib import Path

import pytest

from mainstem import files
from mainstem.errors import BadInput


def test_reading_refuses_what_is_no_small_regular_file(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"12345")
    assert files.read(tmp_path / "big", 5) == b"12345"
    with pytest.raises(BadInput, match="5 bytes"):
        files.read(tmp_path / "big", 4)
    assert files.measure(tmp_path / "big").size == 5


@pytest.mark.parametrize("look", [files.opened, files.measure, lambda path: files.read(path, 10)])
def test_whatever_is_no_file_is_refused_by_name_and_nothing_is_waited_for(tmp_path: Path, look: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    reasons = {
        "pipe": "is not a regular file", "folder": "is a folder", "none": "does not exist", "nowhere": "not exist",
        "loop": "symbolic links", "n" * 300: "name too long", "a\0b": "null byte", "file/x": "Not a directory",
    }  # fmt: skip
    for name, why in reasons.items():
        with pytest.raises(files.Unusable, match=why) as caught:
            look(tmp_path / name)  # type: ignore[operator]
        assert caught.value.path == tmp_path / name
        assert len(str(caught.value)) < 400
    with pytest.raises(files.Unusable, match="'/dev/zero' is not a regular file"):
        look("/dev/zero")  # type: ignore[operator]


def test_looking_never_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("none", "n" * 300, "a\0b", "file/x"):
        assert not files.is_file(tmp_path / name)
        assert not files.is_folder(tmp_path / name)
    assert files.is_file(tmp_path / "file")
    assert files.is_folder(tmp_path)


def test_a_read_that_gives_less_than_is_there_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        left = b"0123456789"

        def read(self, size: int) -> bytes:
            part, self.left = self.left[: min(size, 3)], self.left[min(size, 3) :]
            return part

    from mainstem.files.reading import _first

    assert _first(Slow(), 8) == b"01234567"  # type: ignore[arg-type]
    assert _first(Slow(), 20) == b"0123456789"  # type: ignore[arg-type]
