import errno
import os
from pathlib import Path

import pytest
import torch

from mainstem.errors import RunFailed
from mainstem.runs import checkpoint
from mainstem.runs.metrics import Metrics
from mainstem.runs.state import Best


def _tensors(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {"model": {"w": torch.full((3,), value), "b": torch.zeros(2)}, "optimizer": {"m": torch.full((3,), -value)}}


def _save(run: Path, step: int, keep: int = 2) -> None:
    metrics = Metrics(run / "metrics.jsonl")
    for number in range(step):
        metrics.append({"step": number + 1})
    content = {**_content(step), "metrics": metrics.sync()}
    metrics.close()
    checkpoint.save(run / "checkpoints", step, _tensors(float(step)), content, keep)


def _content(step: int) -> dict[str, object]:
    state = {"step": step, "best": {"step": step, "values": {"nats_per_token": 1.0}, "tokens": 9}}
    made_by = {"length": {"steps": 20, "asked": {}}, "config": "", "corpus": "c0ffee", "facts": {}, "task": "language"}
    return {"state": state, "optimizer": {}, "metrics": {"offset": 0, "sha256": None}, **made_by}


def _names(run: Path) -> list[str]:
    return sorted(os.listdir(run / "checkpoints"))


def test_the_newest_by_number_is_found_whole(tmp_path: Path) -> None:
    for step in (9, 10):
        _save(tmp_path, step)
    os.utime(tmp_path / "checkpoints" / "step-10", (0, 0))  # clocks go backwards
    found = checkpoint.newest(tmp_path, pytest.fail)
    assert found is not None
    assert found[0].name == "step-10"
    assert found[1].state.best == Best(step=10, values={"nats_per_token": 1.0}, tokens=9)
    assert torch.equal(checkpoint.load(found[0], "optimizer")["m"], torch.full((3,), -10.0))


def test_as_many_are_kept_as_said_but_never_one(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        _save(tmp_path, step, keep=3)
    assert _names(tmp_path) == ["step-2", "step-3", "step-4"]
    _save(tmp_path, 5, keep=1)
    assert _names(tmp_path) == ["step-4", "step-5"]


def test_a_damaged_one_is_named_and_the_one_before_it_used(tmp_path: Path) -> None:
    for step in (1, 2):
        _save(tmp_path, step)
    path = tmp_path / "checkpoints" / "step-2" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    said: list[str] = []
    found = checkpoint.newest(tmp_path, said.append)
    assert found is not None
    assert found[0].name == "step-1"
    assert len(said) == 1
    assert "checkpoint 2" in said[0]
    assert "model.safetensors" in said[0]


def test_none_whole_is_not_begun_again(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path, pytest.fail) is None
    _save(tmp_path, 1)
    (tmp_path / "checkpoints" / "step-1" / "manifest.json").unlink()
    with pytest.raises(RunFailed, match="begin again under another --out"):
        checkpoint.newest(tmp_path, lambda _: None)


def test_one_that_a_kill_left_set_aside_is_found_by_who_does_not_sweep(tmp_path: Path) -> None:
    for step in (1, 2):
        _save(tmp_path, step)
    (tmp_path / "checkpoints" / "step-2").rename(tmp_path / "checkpoints" / ".aside-step-2")
    (tmp_path / "checkpoints" / ".new-step-2").mkdir()
    found = checkpoint.newest(tmp_path, pytest.fail)
    assert found is not None
    assert (found[0].name, found[1].step) == (".aside-step-2", 2)
    assert checkpoint.last(tmp_path / "checkpoints") == 2


def test_a_lost_record_takes_the_checkpoint_that_it_still_covers(tmp_path: Path) -> None:
    for step in (1, 2):
        _save(tmp_path, step)
    record = tmp_path / "metrics.jsonl"
    record.write_bytes(record.read_bytes()[:-2])
    found = checkpoint.newest(tmp_path, lambda _: None)
    assert found is not None
    assert found[0].name == "step-1"


def test_damaged_ones_beyond_the_step_do_not_count_as_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        _save(tmp_path, step, keep=3)
    (tmp_path / "checkpoints" / "step-3" / "manifest.json").unlink()
    (tmp_path / "checkpoints" / "step-9").mkdir()
    _save(tmp_path, 3)
    assert _names(tmp_path) == ["step-2", "step-3"]
    assert checkpoint.newest(tmp_path, pytest.fail) is not None


def test_the_old_goes_only_after_the_new_was_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        _save(tmp_path, step)
    real = os.write

    def lying(descriptor: int, data: bytes) -> int:
        return real(descriptor, bytes(data).replace(b"\x00\x00\x40\x40", b"\x00\x00\x40\x41"))

    monkeypatch.setattr(os, "write", lying)
    with pytest.raises(RunFailed, match="reads back differently"):
        _save(tmp_path, 3)
    monkeypatch.undo()
    assert _names(tmp_path) == ["step-1", "step-2", "step-3"]


def test_equal_tensors_give_equal_bytes() -> None:
    a, b = torch.ones(2), torch.zeros(3)
    assert checkpoint.pack({"a": a, "b": b}, "{}") == checkpoint.pack({"b": b, "a": a}, "{}")


def test_a_header_beyond_its_file_is_damage(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(checkpoint.Damaged, match="cannot be read"):
        checkpoint.load(tmp_path, "x")


_OPERATIONS = ("open", "write", "fsync", "replace", "mkdir")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_any_operation_leaves_the_earlier_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    _save(tmp_path, 1)
    _save(tmp_path, 2)
    before = {p: p.read_bytes() for p in (tmp_path / "checkpoints" / "step-2").iterdir()}
    failures = 0
    for fatal in range(100):
        left = fatal
        with monkeypatch.context() as patch:
            for name in _OPERATIONS:

                def counted(*args: object, _real: object = getattr(os, name), **kwargs: object) -> object:
                    nonlocal left
                    left -= 1
                    if left == -1:
                        raise OSError(code, os.strerror(code))
                    return _real(*args, **kwargs)  # type: ignore[operator]

                patch.setattr(os, name, counted)
            try:
                checkpoint.save(tmp_path / "checkpoints", 3, _tensors(3.0), _content(3), keep=2)
            except RunFailed as failed:
                failures += 1
                said = str(failed)
            else:
                said = ""
        if left >= 0:
            break  # it ended before the failure came
        assert not said or ("--resume" in said and ("full" in said) == (code == errno.ENOSPC))
        assert {p: p.read_bytes() for p in before} == before
        assert checkpoint.newest(tmp_path, pytest.fail) is not None
    assert failures > 10
    assert _names(tmp_path) == ["step-2", "step-3"]


def _in_parts(run: Path, step: int) -> None:
    whole = torch.arange(10.0).view(5, 2) * step
    rows = {0: whole[:3], 1: whole[3:], 2: whole[5:]}
    parts = {
        rank: {checkpoint.part("model", rank, 3): {"w": own, **({"count": torch.tensor(step)} if rank == 0 else {})}}
        for rank, own in rows.items()
    }

    def others(folder: Path) -> dict[str, dict[str, object]]:
        return checkpoint.write(folder, parts[1]) | checkpoint.write(folder, parts[2])

    checkpoint.save(run / "checkpoints", step, parts[0], _content(step), 2, others)


def test_parts_of_several_processes_are_one_checkpoint_and_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    _in_parts(tmp_path, 1)
    _in_parts(tmp_path, 2)
    found = checkpoint.newest(tmp_path, pytest.fail)
    assert found is not None
    assert sorted(found[1].files) == [f"model-{number}-of-3.safetensors" for number in (1, 2, 3)]
    held = checkpoint.load(found[0], "model")
    assert held["w"].equal(2 * torch.arange(10.0).view(5, 2)) and held["count"] == 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_checkpoint_without_one_of_its_parts_is_not_used(number: int, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    _in_parts(tmp_path, 1)
    _in_parts(tmp_path, 2)
    (tmp_path / "checkpoints" / "step-2" / f"model-{number}-of-3.safetensors").unlink()
    said: list[str] = []
    found = checkpoint.newest(tmp_path, said.append)
    assert found is not None and found[0].name == "step-1"
    assert said == [f"checkpoint 2 cannot be used: model-{number}-of-3.safetensors is missing."]
    with pytest.raises(checkpoint.Damaged, match=r"(missing|cannot be read)"):
        checkpoint.load(tmp_path / "checkpoints" / "step-2", "model")
