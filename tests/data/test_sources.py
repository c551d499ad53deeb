import os
import socket
import sysconfig
from pathlib import Path

import pytest

from mainstem import config
from mainstem.data.sources import find, taking
from mainstem.errors import BadInput


def names(folder: Path, **more: str) -> list[str]:
    found = find(config.Data(paths=[str(folder)], **more))
    return [path.relative_to(folder).as_posix() for path in found.paths]


def fill(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_folder_is_read_in_the_order_of_relative_names(tmp_path: Path) -> None:
    fill(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "a-b.txt", ".hidden", ".git/x.txt")
    assert names(tmp_path) == ["a/b/c.txt", "a/z.txt", "a-b.txt", "b.txt"]


def test_glob_takes_names_or_relative_paths(tmp_path: Path) -> None:
    fill(tmp_path, "one.txt", "two.py", "deep/three.py", ".four.py")
    assert names(tmp_path, glob="*.py") == ["deep/three.py", "two.py"]
    assert names(tmp_path, glob="deep/*") == ["deep/three.py"]
    assert names(tmp_path, glob="**/*.py") == ["deep/three.py", "two.py"]
    assert names(fill(tmp_path, "deep/er/est/five.py"), glob="deep/**/*.py") == ["deep/er/est/five.py", "deep/three.py"]
    assert names(tmp_path, glob=".*.py") == [".four.py"]


def test_several_paths_stay_in_the_order_given(tmp_path: Path) -> None:
    fill(tmp_path, "b", "a")
    given = [str(tmp_path / "b"), str(tmp_path / "a")]
    found = find(config.Data(paths=given))
    assert [str(path) for path in found.paths] == given
    assert found.num_bytes == 2


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, "a/text")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "other").symlink_to(tmp_path / "a")
    assert names(tmp_path) == ["a/text"]


def test_library_is_found_without_its_tests() -> None:
    root = Path(sysconfig.get_paths()["stdlib"])
    found = find(config.Data())
    parts = {part for path in found.paths for part in path.relative_to(root).parts[:-1]}
    assert not found.named
    assert len(found.paths) > 300
    assert {path.suffix for path in found.paths} == {".py"}
    assert not parts & {"test", "tests", "idle_test", "site-packages", "dist-packages"}


def test_what_is_missing_is_named_with_its_control_characters_escaped(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\\x1b\[2J\\nb.* does not exist: give") as caught:
        find(config.Data(paths=[str(tmp_path / "a\x1b[2J\nb")]))
    assert str(caught.value).isprintable()


def test_a_nul_in_a_path_is_refused() -> None:
    with pytest.raises(BadInput, match=r"a\\x00b.*cannot be read"):
        find(config.Data(paths=["a\0b"]))


@pytest.mark.parametrize("inside", [False, True], ids=["given", "in a folder"])
@pytest.mark.parametrize("what", ["a FIFO", "a socket"])
def test_what_cannot_be_read_twice_is_refused_or_left_out_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, inside: bool
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    fill(tmp_path, "folder/text")
    if what == "a FIFO":
        os.mkfifo("folder/pipe")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("folder/pipe")
    if inside:
        assert str(find(config.Data(paths=["folder"])).left_out) == "1 pipe or device ('pipe')"
    else:
        with pytest.raises(BadInput, match=rf"pipe' is {what}.*save its content"):
            find(config.Data(paths=["folder/pipe"]))


def test_a_device_is_refused() -> None:
    with pytest.raises(BadInput, match="'/dev/zero' is a device"):
        find(config.Data(paths=["/dev/zero"]))


def test_folder_without_match_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt")
    with pytest.raises(BadInput, match=r"No file in the folder .* matches data.glob '\*.rst'"):
        names(tmp_path, glob="*.rst")
    with pytest.raises(BadInput, match=r"data.glob is empty"):
        names(tmp_path, glob="")


def test_a_link_to_nowhere_is_refused_or_left_out_of_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    with pytest.raises(BadInput, match="link' does not exist"):
        find(config.Data(paths=[str(tmp_path / "link")]))
    assert names(tmp_path) == ["a"]
    assert find(config.Data(paths=[str(tmp_path)])).left_out.counts() == {"links": 2}


@pytest.mark.parametrize(
    ("file", "glob", "taken"),
    [
        ("a.json", "*", True), ("notes/deep/a.json", "*", True), (".a.json", "*", False), (".git/a.json", "*", False),
        ("runs/first/a.json", "*", False), ("x/node_modules/a.json", "*", False), ("a.json", "*.txt", False),
        ("notes/a.json", "notes/*", True), ("../a.json", "*", False),
    ],
)  # fmt: skip
def test_a_file_that_is_still_to_be_written_is_a_part_of_the_text_where_reading_says_so(
    tmp_path: Path, file: str, glob: str, taken: bool
) -> None:
    root = fill(tmp_path / "text", "b.txt", "notes/b.txt")
    (tmp_path / "link").symlink_to(root)
    section = config.Data(paths=[str(root / "b.txt"), str(tmp_path / "link"), "a\0b"], glob=glob)
    assert taking(section, root / file) == (str(tmp_path / "link") if taken else None)
    fill(root, file)
    assert (file in names(root, glob=glob)) == taken
