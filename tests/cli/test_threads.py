"""Waiting threads: the user's choice stands, and it is made before torch is there."""

import os
import subprocess
import sys

from mainstem.cli import threads

SAY = (
    "import os, sys; from mainstem.cli.main import main; code = main(['list']); "
    "print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules, file=sys.stderr); sys.exit(code)"
)


def said(**environment):
    clean = {name: value for name, value in os.environ.items() if name not in threads._CHOSEN}
    done = subprocess.run([sys.executable, "-c", SAY], env={**clean, **environment}, capture_output=True, text=True)
    assert done.returncode == 0
    return done.stderr.split()


def test_a_command_sets_it_before_torch_is_loaded():
    assert said() == [threads.TURNS, "False"]


def test_what_the_user_chose_stands():
    assert said(GOMP_SPINCOUNT="7") == ["7", "False"]
    assert said(OMP_WAIT_POLICY="ACTIVE") == ["None", "False"]


def test_it_is_too_late_when_torch_is_there():
    import torch  # noqa: F401

    environment = {}
    assert not threads.wait_politely(environment)
    assert environment == {}
