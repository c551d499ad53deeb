"""What a run offers: a configuration and weights that belong together, whenever the writing stops."""

import json
from pathlib import Path

import pytest
import torch

from mainstem import files
from mainstem.runs import publish, weights
from mainstem.runs.state import Best


def _publish(folder: Path, step: int) -> None:
    at = Best(step=step, values={"nats_per_token": 1 / step}, tokens=9)
    publish.model(folder, "language", {"width": 3}, {"w": torch.full((3,), float(step))}, at)


def _said(folder: Path) -> list[dict[str, object]]:
    """Return all that a folder says of its weights."""
    return [
        json.loads((folder / "config.json").read_text()),
        json.loads(weights.metadata(folder / "model.safetensors")),
    ]


@pytest.mark.parametrize("stopped", ["config.json", "model.safetensors"])
def test_whatever_stops_between_two_files_nothing_is_said_of_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    _publish(tmp_path, 1)
    write = files.write_atomic

    def stops(path: Path, data: bytes) -> files.Entry:
        if path.name == stopped:
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr(files, "write_atomic", stops)
    with pytest.raises(KeyboardInterrupt):
        _publish(tmp_path, 2)
    there = float(weights.read(tmp_path / "model.safetensors")["w"][0])
    assert {said["step"] for said in _said(tmp_path) if "step" in said} == {there}
    assert [said["held_out"]["nats_per_token"] for said in _said(tmp_path) if "held_out" in said] == [1 / there]  # type: ignore[index]
    assert publish.step(tmp_path / "model.safetensors") == there


def test_what_was_converted_says_no_step(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(1)}, tmp_path / "model.safetensors")
    assert publish.step(tmp_path / "model.safetensors") is None
