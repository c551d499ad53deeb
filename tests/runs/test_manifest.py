import functools
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstem import files
from mainstem.runs import manifest
from mainstem.runs.manifest import Damaged

CONTENT: dict[str, Any] = {
    "step": 1, "length": {"steps": 9, "asked": {"steps": 9}}, "config": "seed: 0", "corpus": "c0ffee",
    "task": "language", "files": {}, "metrics": {"offset": 7, "sha256": "x"}, "state": {"step": 1, "seconds": 0.25},
    "optimizer": {"version": 1}, "facts": {"text": "é\u2028\n"},
}  # fmt: skip


def _checkpoint(path: Path, step: int = 5) -> dict[str, object]:
    path.mkdir()
    entry = files.write_synced(path / "model.safetensors", b"weights")
    content = {**CONTENT, "step": step, "files": {"model.safetensors": entry._asdict()}, "state": {"step": step}}
    (path / manifest.NAME).write_bytes(manifest.encode(content))
    return content


def test_what_was_written_is_read(tmp_path: Path) -> None:
    content = _checkpoint(tmp_path / "step-5")
    found = manifest.read(tmp_path / "step-5")
    assert msgspec.to_builtins(found.files) == content["files"]
    assert (found.step, found.length.steps, found.facts) == (5, 9, content["facts"])
    assert found.metrics == manifest.Record(7, "x")


def test_every_flipped_bit_of_the_manifest_is_noticed() -> None:
    data = manifest.encode(CONTENT)
    assert manifest.decode(data).state.seconds == 0.25
    for place in range(len(data)):
        for bit in range(8):
            flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            with pytest.raises(Damaged):
                manifest.decode(flipped)
    for changed in (b"", data[:-1], data + b"\n", b"[]", b"null", b'"x"'):
        with pytest.raises(Damaged):
            manifest.decode(changed)


@pytest.mark.parametrize("version", [1, manifest.VERSION + 1])
def test_another_version_is_refused_by_its_number(version: int) -> None:
    data = manifest.encode({**CONTENT, "version": version})
    with pytest.raises(Damaged, match=f"version {version}, and this mainstem reads version {manifest.VERSION}"):
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


DEEP: Any = functools.reduce(lambda inner, _: [inner], range(100), [])


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_what_a_field_of_another_type_or_none_makes_of_it(name: str) -> None:
    """Its checksum is right: such a file was written so, by another program or another version."""
    with pytest.raises(Damaged, match=f"not what was written.*{name}"):
        manifest.decode(manifest.encode({key: value for key, value in CONTENT.items() if key != name}))
    text = [] if name == "task" else ["x"]  # whose name may be any text
    for other in (None, *text, 0.5, [], -1, 1 << 70, True, DEEP):
        with pytest.raises(Damaged, match="not what was written"):
            manifest.decode(manifest.encode({**CONTENT, name: other}))


@pytest.mark.parametrize(
    ("name", "value"),
    [("metrics", {"offset": -1, "sha256": "x"}), ("files", {"../model.safetensors": {"size": 1, "sha256": "x"}}),
     ("files", {"a.safetensors": {"size": -1, "sha256": "x"}}), ("state", {"step": 2}), ("state", {"step": 1, "x": 1}),
     ("state", {"step": 1, "pending": {"step": 1}}), ("state", {"step": 1, "waited": -1})],
)  # fmt: skip
def test_values_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(Damaged, match="not what was written"):
        manifest.decode(manifest.encode({**CONTENT, name: value}))


def test_a_manifest_that_is_nested_without_end() -> None:
    for data in (b'{"a":' + b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000):
        with pytest.raises(Damaged, match="nested too deep"):
            manifest.decode(data)


def test_a_pipe_in_place_of_a_file_is_no_hang(tmp_path: Path) -> None:
    _checkpoint(tmp_path / "step-5")
    for name in ("model.safetensors", manifest.NAME):
        (tmp_path / "step-5" / name).unlink()
        os.mkfifo(tmp_path / "step-5" / name)
        with pytest.raises(Damaged, match=f"{name} is missing"):
            manifest.read(tmp_path / "step-5")
