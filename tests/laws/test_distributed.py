"""Two processes with half of the samples each take the step that one takes: losses, masks and every gradient."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed
from variants import RESIDUALS

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")


def test_a_step_of_every_form_on_two_processes_is_that_of_one(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests" / "support" / "ranks.py")]
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
    for out, error in said:
        lines = out.splitlines()
        assert [line for line in lines if not line.endswith(": equal")] == [], error
        assert len(lines) == 2 * 2 * len(RESIDUALS), error
