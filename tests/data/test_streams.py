import gzip
import os
from pathlib import Path

import pytest
import zstandard

from mainstem.data import streams
from mainstem.errors import BadInput

CONTENT = b"".join(b"line %d\n" % number for number in range(900))


def packed(folder: Path, suffix: str, content: bytes = CONTENT) -> Path:
    path = folder / f"text{suffix}"
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[suffix]
    path.write_bytes(pack(content))
    return path


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_chunks_have_one_size_whatever_the_packing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 1000)
    path = packed(tmp_path, suffix)
    told: list[int] = []
    found = list(streams.chunks(path, told.append))
    assert b"".join(found) == CONTENT
    assert {len(chunk) for chunk in found[:-1]} == {1000}
    assert 0 < sum(told) <= path.stat().st_size


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_members_one_after_the_other_are_all_read(tmp_path: Path, suffix: str) -> None:
    path = packed(tmp_path, suffix)
    path.write_bytes(path.read_bytes() * 3)
    assert b"".join(streams.chunks(path)) == CONTENT * 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "no such format"])
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damage_is_refused(tmp_path: Path, suffix: str, damage: str) -> None:
    path = packed(tmp_path, suffix)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[-20:]
    elif damage == "flipped":
        data[0] ^= 255
    else:
        data[:] = CONTENT
    path.write_bytes(data)
    with pytest.raises(BadInput, match="is damaged or not compressed"):
        list(streams.chunks(path))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_bomb_is_refused_before_it_has_gone_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(streams, "_FREE", 1 << 20)
    path = packed(tmp_path, suffix, b"a" * (1 << 26))
    seen = 0
    with pytest.raises(BadInput, match="expands to more than 200 times"):  # noqa: PT012 - how far it gets is the test
        for chunk in streams.chunks(path):
            seen += len(chunk)
    assert seen < 1 << 25


def test_small_files_may_expand_as_they_like(tmp_path: Path) -> None:
    assert sum(map(len, streams.chunks(packed(tmp_path, ".gz", b"a" * (1 << 20))))) == 1 << 20


def test_a_fifo_that_took_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="not a regular file"):
        list(streams.chunks(tmp_path / "pipe"))


def test_what_may_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        list(streams.chunks(tmp_path))
    with pytest.raises(BadInput, match="gone' does not exist: give a regular file"):
        list(streams.chunks(tmp_path / "gone"))
