"""What `import mainstem` offers, and what it leaves alone."""

import importlib
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mainstem


@pytest.mark.parametrize("name", mainstem.NAMES)
def test_every_name_is_there(name: str) -> None:
    assert getattr(mainstem, name) is not None
    assert name in dir(mainstem)


def test_no_module_of_the_package_takes_a_function_s_name() -> None:
    """Importing a module binds its name in the package: `mainstem.load` would no longer be the function."""
    folder = Path(mainstem.__file__).parent
    for path in folder.glob("*.py"):
        if path.stem in mainstem.NAMES:
            assert getattr(mainstem, path.stem) is importlib.import_module(f"mainstem.{path.stem}")
    assert callable(mainstem.load)


def test_help_says_every_name_on_the_first_screen_of_a_terminal() -> None:
    """A pager leaves 23 of 24 lines of 80 columns; what `help` lists behind them are files."""
    lines = pydoc.render_doc(mainstem, renderer=pydoc.plaintext).splitlines()
    screen = "\n".join(lines[:23])
    assert all(re.search(rf"\b{name}\b", screen) for name in mainstem.NAMES)
    assert max(map(len, lines[:23])) <= 80 and len(lines) <= 70
    assert {line for line in lines if line.isupper()} == {"NAME", "DESCRIPTION", "PACKAGE CONTENTS", "VERSION", "FILE"}


def test_the_expressions_that_help_shows_are_values() -> None:
    shown = re.findall(r"(?<=  )(?:form|noise)\.[A-Z].*?\)(?=,|$)", str(mainstem.__doc__), re.MULTILINE)
    assert len(shown) == 2
    for expression in shown:
        eval(expression, {"form": mainstem.form, "noise": mainstem.noise})


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = mainstem.lod


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, mainstem, mainstem.config, mainstem.cli.help; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"torch", "numpy", "rich", "jinja2", "tokenizers"}.isdisjoint(found)


def test_importing_the_trainer_leaves_the_compiler_out() -> None:
    """Dynamo alone takes the better part of a second to import, and only `machine.compile` needs it."""
    code = "import sys, mainstem.train; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch._dynamo" not in found


def test_the_version_is_that_of_the_package() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    found = re.search(r'^version = "(.+)"$', project.read_text(), re.MULTILINE)
    assert found is not None
    assert found[1] == mainstem.__version__
