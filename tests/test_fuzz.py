"""`make fuzz` says what fails, counts, and goes on where it was."""

import os
import re
import subprocess
import sys
from pathlib import Path

import fuzz
import hypothesis
import pytest

HOLDS = """
from hypothesis import given, strategies as st

@given(st.integers(0, 9))
def test_a_digit_is_small(number):
    assert number < {bound}

@given(st.booleans())
def test_two_values(value):
    assert value in (True, False)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_good.py").write_text(HOLDS.format(bound=10))
    (tmp_path / "tests" / "test_bad.py").write_text(HOLDS.format(bound=7))
    (tmp_path / "tests" / "test_plain.py").write_text("def test_it():\n    assert False\n")
    return tmp_path


def fuzzed(project: Path) -> tuple[int, str]:
    """Return the exit code of `make fuzz` in the folder `project`, and what it said without seconds."""
    done = subprocess.run([sys.executable, fuzz.__file__], cwd=project, capture_output=True, text=True, timeout=120)
    return done.returncode, re.sub(r"\d+ s\b", "_ s", done.stdout + done.stderr)


def test_it_says_what_fails_counts_and_goes_on_where_it_was(project: Path) -> None:
    code, said = fuzzed(project)
    assert code == 1
    assert "tests/test_good.py: 2 properties, 12 examples, _ s" in said.splitlines()
    assert "assert 7 < 7" in said and "number=7" in said  # the failure itself, with its example
    assert "test_bad.py: FAILED" in said and "test_plain" not in said
    numbers, failed = said.splitlines()[-2:]
    assert re.fullmatch(r"2 files, \d properties, \d+ examples in _ s: 1 failed", numbers)
    assert failed == "  tests/test_bad.py"

    (project / "tests" / "test_bad.py").write_text(HOLDS.format(bound=10))
    code, said = fuzzed(project)
    assert code == 0
    assert said.splitlines() == [
        "1 file has passed before and is left out: rm -r build/fuzz to begin with all",
        "tests/test_bad.py: 2 properties, 12 examples, _ s",
        "1 file, 2 properties, 12 examples in _ s: 0 failed",
    ]


def test_its_examples_are_new_and_those_that_failed_are_kept() -> None:
    fuzzing, usual = (hypothesis.settings.get_profile(name) for name in ("fuzz", "default"))
    assert not fuzzing.derandomize and fuzzing.database is not None
    assert usual.derandomize
    assert fuzzing.max_examples == 60 * usual.max_examples == 3000


def test_what_is_left_has_not_passed_since_it_or_the_package_was_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    code, bad, good = (Path(name) for name in ("src/mainstem/code.py", "tests/test_bad.py", "tests/test_good.py"))
    code.parent.mkdir(parents=True)
    for at, path in enumerate((code, bad, good, fuzz.log(bad), fuzz.log(good))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (at, at))
    both = fuzz.files()
    assert both == [bad, good]  # and not the one without properties
    assert fuzz.left(both) == both  # all have passed, so all begin anew
    os.utime(bad, (5, 5))
    assert fuzz.left(both) == [bad]
    fuzz.log(bad).unlink()
    assert fuzz.left(both) == [bad]
    os.utime(code, (5, 5))
    assert fuzz.left(both) == both
