"""A side of a comparison runs the sources that it was told to, whatever this environment has installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SIDE = Path(__file__).resolve().parents[2] / "benchmarks" / "side.py"

FINDER = """
import sys
from importlib.util import spec_from_file_location

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return spec_from_file_location(name, {elsewhere!r}) if name == "mainstem" else None

sys.meta_path.insert(0, Finder)
"""


def test_a_finder_of_an_editable_install_is_not_asked(tmp_path: Path) -> None:
    package = tmp_path / "root" / "src" / "mainstem"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("SIDE = 'that of the commit'\n")
    (tmp_path / "elsewhere.py").write_text("SIDE = 'that of this environment'\n")
    # Python imports this when it starts, as it does the line of an editable install.
    (tmp_path / "sitecustomize.py").write_text(FINDER.format(elsewhere=str(tmp_path / "elsewhere.py")))
    program = tmp_path / "program.py"
    program.write_text("import sys, mainstem\nprint(mainstem.SIDE, *sys.argv[1:])\n")
    done = subprocess.run(
        [sys.executable, str(SIDE), str(tmp_path / "root"), str(program), "an argument"],
        capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("that of the commit an argument\n", "", 0)


def test_sources_that_are_not_there_are_refused(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("")
    done = subprocess.run([sys.executable, str(SIDE), str(tmp_path), str(program)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "mainstem" in done.stderr
