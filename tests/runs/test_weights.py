from pathlib import Path

import pytest
import torch
from torch import nn

from mainstem.errors import BadInput
from mainstem.runs import checkpoint, weights


def _tied() -> nn.Module:
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3), "n": nn.BatchNorm1d(3)})
    model["b"].weight = model["a"].weight
    return model


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path: Path) -> None:
    model, other = _tied(), _tied()
    taken = weights.take(model)
    assert "a.weight" in taken
    assert "b.weight" not in taken
    assert "n.running_mean" in taken
    (tmp_path / "w").write_bytes(checkpoint.pack(taken))
    weights.put(other, weights.read(tmp_path / "w"), "w")
    assert all(torch.equal(x, y) for x, y in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    assert other["b"].weight is other["a"].weight  # type: ignore[index]


def test_what_was_taken_stays_when_training_goes_on() -> None:
    model = nn.Linear(2, 2)
    taken = weights.take(model)
    before = taken["weight"].clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    assert torch.equal(taken["weight"], before)


def test_weights_of_another_model_change_nothing() -> None:
    model = nn.Linear(2, 2)
    before = weights.take(model)
    for wrong in ({"weight": torch.ones(2, 2)}, {"weight": torch.ones(2, 2), "bias": torch.ones(3)}):
        with pytest.raises(BadInput, match="another model's weights"):
            weights.put(model, wrong, "x")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_header_beyond_its_file_is_refused_unread(tmp_path: Path) -> None:
    head = b'{"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(head).to_bytes(8, "little") + head)
    for look in (weights.header, weights.read):
        with pytest.raises(BadInput, match="damaged"):
            look(path)
    path.write_bytes(b"")
    with pytest.raises(BadInput, match="damaged"):
        weights.header(path)
