"""A model in parts over two processes, of which one is killed inside a checkpoint: both go on to the same bytes."""

import json
import shutil
from pathlib import Path

import pytest
import tiny_run
import torch
from processes import two

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed"),
]

MODELS = ("model.safetensors", "last/model.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed")
    tiny_run.text(path)
    together(path, "whole")
    return path


def together(folder: Path, out: str) -> list[str]:
    return [out for out, _ in two("run_ranks.py", str(folder), out, "0", "", "shard")]


@pytest.mark.parametrize(
    ("rank", "sync"), [(0, 2), (0, 9), (0, 12), (0, 15), (0, 20), (0, 27), (1, 1), (1, 3), (1, 5), (1, 6)]
)
def test_a_process_that_ends_before_any_sync_changes_nothing(
    folder: Path, rank: int, sync: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("ENDS", f"{rank}:{sync}")
    said = together(folder, "killed")
    assert not said[rank], "it was not killed"
    monkeypatch.delenv("ENDS")
    assert all('"reason": "steps"' in out for out in together(folder, "killed"))
    for name in MODELS:
        assert (folder / "killed" / name).read_bytes() == (folder / "whole" / name).read_bytes(), name
    losses = [
        [json.loads(line)["loss"] for line in (folder / out / "metrics.jsonl").read_text().splitlines()]
        for out in ("killed", "whole")
    ]
    assert losses[0] == losses[1]
    assert not list((folder / "killed").rglob(".new-*"))
    shutil.rmtree(folder / "killed")
