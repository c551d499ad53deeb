"""Killed is killed: a program, what it has started, and what that has put into a session of its own."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainstem.crash import process
from mainstem.errors import BadInput

SLEEPER = "import time; time.sleep(60)"
PARENT = """
import subprocess, sys, time
for apart in (False, True):
    child = subprocess.Popen([sys.executable, "-c", {sleeper!r}], start_new_session=apart)
    print(child.pid, flush=True)
{then}
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("then", ["time.sleep(60)", "sys.exit(3)"])
def test_nothing_is_left_of_what_it_has_started(tmp_path: Path, then: str) -> None:
    code = PARENT.format(sleeper=SLEEPER, then=then)
    wanted = None if "sleep" in then else 3
    limit = 1.0
    while True:  # a busy machine may take long to start a process
        ended = process.run([sys.executable, "-c", code], tmp_path / "log", 30.0 if wanted else limit)
        pids = [int(line) for line in ended.said.split()]
        if len(pids) == 2:
            break
        limit *= 2
        assert limit < 60
    assert ended.code == wanted
    assert [pid for pid in pids if alive(pid)] == []


@pytest.mark.parametrize("text", ["true\n", "#!/nowhere/sh\n"])
def test_what_the_system_does_not_start_is_said_with_its_remedy(tmp_path: Path, text: str) -> None:
    script = tmp_path / "a trainer"
    script.write_text(text)
    script.chmod(0o755)
    with pytest.raises(BadInput, match=rf"'{script}' cannot be started \(.+\): .* as in `sh '{script}'`\.$"):
        process.run([str(script)], tmp_path / "log", 60.0)


def test_others_are_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER]) as other:
        process.run([sys.executable, "-c", SLEEPER], tmp_path / "log", 0.1)
        assert other.poll() is None
        other.kill()


def test_it_ends_by_itself_and_what_it_said_is_known(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = process.run([sys.executable, "-c", "import os; os.write(2, b'a\\n'); print('b')"], tmp_path / "log", 60.0)
    assert ended.code == 0 and sorted(ended.said.split()) == ["a", "b"]
    assert 0 < ended.seconds <= time.monotonic() - began
