"""Every damage noticed: each file of the newest checkpoint, damaged in each way, is named, and the end is the same."""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import driver

from mainstem.errors import RunFailed

pytestmark = pytest.mark.slow

FILES = ("average", "best", "model", "optimizer")
NAMES = [f"{stem}.safetensors" for stem in FILES] + ["manifest.json"]
DAMAGES = ("flip", "cut", "empty", "delete", "extend", "stale")


class Whole(NamedTuple):
    out: Path
    fingerprint: dict[str, object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    root = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        driver.attempt(root / "run")
    return Whole(root / "run", driver.fingerprint(root / "run"))


def _damage(path: Path, older: Path, damage: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    new = {
        "flip": data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :], "cut": data[:-1], "empty": b"",
        "extend": data + b"\0", "stale": older.read_bytes(),
    }  # fmt: skip
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(new[damage])


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_damaged_file_is_named_and_the_run_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Whole, name: str, damage: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(whole.out.parent / "cache"))
    shutil.copy(whole.out.parent / "corpus.txt", tmp_path)
    out = tmp_path / "run"
    shutil.copytree(whole.out, out)
    monkeypatch.setattr(driver, "corpus", lambda _: whole.out.parent / "corpus.txt")
    _damage(out / "checkpoints" / "step-12" / name, out / "checkpoints" / "step-8" / name, damage)
    said = driver.attempt(out)
    assert any("checkpoint 12" in line and name in line for line in said), said
    assert any("going on at step 8" in line for line in said), said
    assert driver.fingerprint(out) == whole.fingerprint


def test_none_whole_begins_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Whole) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(whole.out.parent / "cache"))
    monkeypatch.setattr(driver, "corpus", lambda _: whole.out.parent / "corpus.txt")
    out = tmp_path / "run"
    shutil.copytree(whole.out, out)
    for step in (8, 12):
        _damage(out / "checkpoints" / f"step-{step}" / "model.safetensors", out / "config.yaml", "flip")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "lock"}
    with pytest.raises(RunFailed, match="begun again unasked"):
        driver.attempt(out)
    assert {path: path.read_bytes() for path in before} == before
