"""Kills and errors at each single call of the system: by strace, where it is.

CRASH_RECORD=FILE has a line of each trial, so that what was ended goes on; CRASH_STRIDE=3 takes every third call.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import record

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "each.py"


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace, by which calls of the system are made to fail"
)
def test_a_kill_or_an_error_at_any_call_loses_nothing(tmp_path: Path) -> None:
    stride, path = os.environ.get("CRASH_STRIDE", "1"), record.place(tmp_path)
    found = _each(tmp_path / "first", stride, path)
    print(found["tried"])
    assert found["wrong"] == []
    assert {"fsync", "rename", "renameat2", "unlink", "mkdir"} <= set(found["tried"]["kill"])
    assert sum(found["tried"]["kill"].values()) * int(stride) > 60
    lines = path.read_bytes()
    assert _each(tmp_path / "second", stride, path) == found
    assert path.read_bytes() == lines, "a trial that the record has was made again"


def _each(root: Path, stride: str, path: Path) -> dict[str, Any]:
    """Return what the trials came to, those of the record at `path` among them."""
    root.mkdir()
    entries = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(root), stride, str(path)], env={**os.environ, "PYTHONPATH": entries},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
