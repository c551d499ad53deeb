"""Kills and errors at each single call of the system: by strace, where it is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "each.py"


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, by which calls of the system are made to fail"
)
def test_a_kill_or_an_error_at_any_call_loses_nothing(tmp_path: Path) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    stride = os.environ.get("CRASH_STRIDE", "1")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), stride], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found["tried"])
    assert found["wrong"] == []
    assert {"fsync", "rename", "unlink", "mkdir"} <= set(found["tried"]["kill"])
    assert sum(found["tried"]["kill"].values()) * int(stride) > 60
