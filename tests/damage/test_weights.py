"""Damaged weights: a file that is cut, lies about its sizes or holds another model is refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from damaged import READERS, Made, answer
from safetensors.torch import load, save

from mainstem.runs import weights

Bytes = Callable[[bytes], bytes]


def _header(change: Callable[[dict[str, dict[str, object]]], object]) -> Bytes:
    """Change the header and nothing else."""

    def changed(data: bytes) -> bytes:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        new = change(header)
        text = new if isinstance(new, bytes) else json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + size :]

    return changed


def _tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Bytes:
    """Change the tensors, and write a whole file of them."""

    def changed(data: bytes) -> bytes:
        tensors = load(data)
        change(tensors)
        return save(tensors, {"mainstem": "{}"})

    return changed


NAME = "embedding.weight"
DAMAGES: dict[str, Bytes] = {
    "empty": lambda data: b"",
    "short": lambda data: data[:5],
    "cut in the header": lambda data: data[:60],
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "no header": lambda data: bytes(8) + data[8:],
    "a header beyond the file": lambda data: (1 << 40).to_bytes(8, "little") + data[8:],
    "a header of everything": lambda data: (len(data) - 8).to_bytes(8, "little") + data[8:],
    "no json": _header(lambda header: b"{" * 50),
    "deep": _header(lambda header: b'{"a":' * 100_000),
    "a list": _header(lambda header: b"[]"),
    "a shape beyond the file": _header(lambda header: header[NAME].update(shape=[1 << 40, 16])),
    "a shape beyond all numbers": _header(lambda header: header[NAME].update(shape=[1 << 63, 1 << 63])),
    "a negative shape": _header(lambda header: header[NAME].update(shape=[-1, 16])),
    "offsets beyond the file": _header(lambda header: header[NAME].update(data_offsets=[0, 1 << 50])),
    "offsets backwards": _header(lambda header: header[NAME].update(data_offsets=[64, 0])),
    "one on the other": _header(lambda header: [entry.update(data_offsets=[0, 64]) for entry in header.values()]),
    "a type that is none": _header(lambda header: header[NAME].update(dtype="F31")),
    "no type": _header(lambda header: header[NAME].pop("dtype")),
    "a name twice": _header(lambda header: json.dumps(header).encode()[:-1] + b', "x":' + json.dumps(
        header[NAME]).encode() + b"}"),
    "another shape": _tensors(lambda tensors: tensors.update({NAME: torch.zeros(3, 3)})),
    "another type": _tensors(lambda tensors: tensors.update({NAME: tensors[NAME].double()})),
    "a smaller type": _tensors(lambda tensors: tensors.update({NAME: tensors[NAME].half()})),
    "whole numbers": _tensors(lambda tensors: tensors.update({NAME: tensors[NAME].int()})),
    "one more": _tensors(lambda tensors: tensors.update(x=torch.zeros(3))),
    "one less": _tensors(lambda tensors: tensors.pop(NAME)),
    "other names": _tensors(lambda tensors: tensors.update({"a" + NAME: tensors.pop(NAME)})),
    "none": _tensors(lambda tensors: tensors.clear()),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights_are_refused(
    fresh: Callable[[], Made], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    made = fresh()
    for path in (made.run / "model.safetensors", made.run / "last" / "model.safetensors"):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    (made.root / "corpus.txt").write_text("the river and the sea " * 60)
    for command in ("sample", "last", "init"):
        code, said = answer(READERS[command](made.run), capsys)
        assert code == 2, (command, said)
        assert "model.safetensors" in said or "init-from" in said


@pytest.mark.parametrize("damage", ["cut", "another type", "a shape beyond the file"])
def test_a_run_is_gone_on_with_and_reported_whatever_it_offers(
    fresh: Callable[[], Made], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """Both read the checkpoints; what is offered is written again at the end."""
    made = fresh()
    path: Path = made.run / "model.safetensors"
    whole = weights.header(path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    for command in ("report", "resume"):
        assert answer(READERS[command](made.run), capsys)[0] == 0
    assert weights.header(path) == whole
    assert answer(READERS["sample"](made.run), capsys)[0] == 0
