from pathlib import Path

import pytest

from mainstem import files
from mainstem.train import manifest
from mainstem.train.manifest import Damaged


def _checkpoint(path: Path, step: int = 5) -> dict[str, object]:
    path.mkdir()
    entry = files.write_synced(path / "model.safetensors", b"weights")
    content = {"step": step, "files": {"model.safetensors": entry._asdict()}, "loss": 0.1, "text": "é\u2028\n"}
    (path / manifest.NAME).write_bytes(manifest.encode(content))
    return content


def test_what_was_written_is_read(tmp_path: Path) -> None:
    content = _checkpoint(tmp_path / "step-5")
    assert manifest.read(tmp_path / "step-5") == {"version": 1, **content}


def test_every_flipped_bit_of_the_manifest_is_noticed() -> None:
    data = manifest.encode({"step": 1, "files": {}, "loss": 0.25})
    for place in range(len(data)):
        for bit in range(8):
            flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            with pytest.raises(Damaged):
                manifest.decode(flipped)
    for changed in (b"", data[:-1], data + b"\n", b"[]", b"null", b'"x"'):
        with pytest.raises(Damaged):
            manifest.decode(changed)


def test_a_newer_version_is_refused_by_its_number() -> None:
    data = manifest.encode({"step": 1, "files": {}, "version": 2})
    with pytest.raises(Damaged, match="version 2"):
        manifest.decode(data)


@pytest.mark.parametrize(
    ("damage", "said"),
    [("flip", "other bytes"), ("cut", "6 bytes instead of 7"), ("empty", "0 bytes"), ("extend", "8 bytes"),
     ("delete", "missing"), ("link", "missing")],
)  # fmt: skip
def test_every_damage_of_a_file_is_named(tmp_path: Path, damage: str, said: str) -> None:
    _checkpoint(tmp_path / "step-5")
    path = tmp_path / "step-5" / "model.safetensors"
    new = {"flip": b"Weights", "cut": b"weight", "empty": b"", "extend": b"weights!"}
    if damage in new:
        path.write_bytes(new[damage])
    else:
        path.rename(tmp_path / "elsewhere")
        if damage == "link":
            path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Damaged, match=f"model.safetensors .*{said}"):
        manifest.read(tmp_path / "step-5")


def test_the_manifest_of_another_step_is_stale(tmp_path: Path) -> None:
    _checkpoint(tmp_path / "step-6", step=5)
    with pytest.raises(Damaged, match="that of step 5"):
        manifest.read(tmp_path / "step-6")
