"""Whether a process still runs: not where it was killed, asked for or not, nor where another one has its number."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mainstem.train.processes import alive

pytestmark = pytest.mark.skipif(alive.this() is None, reason="this system does not say which processes run")

NAMED = "import sys, time\nopen('/proc/self/comm', 'w').write(') Z 1 2 (')\nprint(flush=True)\ntime.sleep(600)"


def of(number: int) -> alive.Process:
    """Return the process of this number, which runs now."""
    here = alive.this()
    assert here is not None
    return here._replace(number=number, began=alive._stat(number)[1])


def test_this_process_runs_and_is_itself_whoever_asks() -> None:
    here = alive.this()
    assert here is not None and alive.runs(here) and alive.this() == here == of(os.getpid())


@pytest.mark.parametrize("words", [["sleep", "600"], [sys.executable, "-c", NAMED]], ids=["sleep", "an odd name"])
def test_a_process_that_was_killed_has_ended_whether_its_parent_has_asked_or_not(words: list[str]) -> None:
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        if words[0] != "sleep":
            assert child.stdout is not None and child.stdout.readline()
        try:
            process = of(child.pid)
            assert alive.runs(process)
        finally:
            child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        assert not alive.runs(process)
    assert not alive.runs(process)


def test_another_process_of_the_same_number_is_not_the_one_that_ended() -> None:
    here = of(os.getpid())
    assert not alive.runs(here._replace(began=here.began - 1))
