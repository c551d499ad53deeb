"""On a second device that computes: the numbers and masks of the CPU, and a sentence where two devices meet."""

import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

SCRIPT = Path(__file__).parent / "support" / "second_run.py"


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"), reason="this torch has no stand-in"
)
def test_numbers_are_the_same_and_two_devices_are_named():
    said = subprocess.run([sys.executable, "-W", "ignore", str(SCRIPT)], capture_output=True, text=True, check=False)
    lines = said.stdout.splitlines()
    assert [line for line in lines if not line.endswith(": equal")] == [], said.stderr
    assert lines[-1:] == ["end: equal"], said.stderr
    assert len(lines) == 34
