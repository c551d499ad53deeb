"""Steps on parameters that FSDP2 spreads over two processes, beside plain ones or not, are those on one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed

from mainstem.optim import sharded

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_every_optimizer_on_two_processes_is_that_on_one(tmp_path):
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests" / "support" / "update_ranks.py")]
    ranks = [
        subprocess.Popen(
            [*command, str(tmp_path / "group"), str(rank)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        said = [rank.communicate(timeout=300) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    for rank, (out, error) in zip(ranks, said, strict=True):
        lines = out.splitlines()
        assert [line for line in lines if not line.endswith(": equal")] == [], error
        assert lines and rank.returncode == 0, error


def test_plain_tensors_are_what_they_are():
    w = torch.ones(2, 3)
    assert sharded.local(w) is w and sharded.whole(w, w) is w and sharded.part_of(w, w) is w
    assert sharded.placed_as(w, w) is w and not sharded.is_sharded(w)
    assert sharded.norm([]) == 0
    assert sharded.local(torch.ones(2, dtype=torch.complex64)).shape == (2, 2)
