import json
from pathlib import Path

import pytest

from mainstem.runs.metrics import Lost, Metrics, check


def _steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_going_on_cuts_what_ran_ahead(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path)
    for step in (1, 2):
        metrics.append({"step": step})
    mark = metrics.sync()
    metrics.append({"step": 3})
    metrics.flush()
    metrics.close()
    with path.open("a") as stream:
        stream.write('{"step":4,"lo')
    again = Metrics(path, mark["offset"], mark["sha256"])
    again.append({"step": 3})
    again.sync()
    again.close()
    assert _steps(path) == [1, 2, 3]
    check(path, again.offset, again.sha256)


def test_a_new_run_begins_with_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step":1}\n')
    Metrics(path).close()
    assert path.read_bytes() == b""


def test_lines_wait_no_longer_than_said(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path, wait=3600.0)
    metrics.append({"step": 1})
    assert path.read_bytes() == b""
    metrics.flush()
    assert _steps(path) == [1]
    metrics.close()
    metrics = Metrics(path, wait=0.0)
    metrics.append({"step": 1})
    assert _steps(path) == [1]
    metrics.close()


@pytest.mark.parametrize("damage", ["cut", "flip", "delete"])
def test_a_lost_record_is_noticed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path)
    metrics.append({"step": 1})
    mark = metrics.sync()
    metrics.close()
    data = path.read_bytes()
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data.replace(b"1", b"2"))
    with pytest.raises(Lost):
        Metrics(path, mark["offset"], mark["sha256"])
