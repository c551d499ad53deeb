"""AGENTS.md: its commands are there, its paths too, and the short ones end well."""

import re
import shlex
import subprocess
import sys

import pytest
from code_blocks import ROOT

TEXT = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`]+)`", TEXT)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
MADE = [shlex.split(code) for code in CODE if code.startswith("make ")]


@pytest.mark.parametrize("words", MADE, ids=" ".join)
def test_every_target_is_there(words):
    assert words[1] in TARGETS
    assert {name.split("=")[0] for name in words[2:]} <= {"ARGS", "BASE", "WORKERS"}


@pytest.mark.parametrize(
    "path", sorted({word for code in CODE for word in code.split() if "/" in word and "=" not in word})
)
def test_every_path_is_there(path):
    path = path.strip('"').removeprefix("`")
    assert path.startswith(".venv/") or (ROOT / path).exists()


@pytest.mark.slow
def test_the_tests_that_it_names_run():
    named = [word for words in MADE for word in words if word.startswith("ARGS=")]
    assert len(named) == 2
    for arguments in named:
        command = [sys.executable, "-m", "pytest", "-q", *shlex.split(arguments.removeprefix("ARGS="))]
        assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
