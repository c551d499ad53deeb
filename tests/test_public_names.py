"""Public names: which there are, that none goes away unseen, and what a type checker knows of them."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import public_names
import pytest

from mainstem import catalogue

KINDS = {
    "form": ("residual",), "noise": ("noise",), "penalty": ("penalty",),
    "optim": ("decay", "around", "after", "average", "schedule"),
}  # fmt: skip

USER = """\
from mainstem import Residual, form, load, noise, optim, penalty

residual: form.Form = form.Hyper(streams=2) | form.ValueResidual()
dropout: noise.Dropout = noise.Dropout(0.1)
penalties: list[penalty.Penalty] = [penalty.L1(coef=1e-4), penalty.ElasticNet(coef=1e-4)]
rows: list[optim.MaxNorm] = []
text: str = load("runs/last").model
form.Hyper(stream=2)
form.Hypre()
"""
WRONG = {
    7: "Incompatible types in assignment",
    8: 'Unexpected keyword argument "stream"',
    9: 'has no attribute "Hypre"',
}


def test_no_public_name_has_gone_or_come_unseen():
    known = public_names.FILE.read_text(encoding="utf-8")
    assert public_names.text() == known, "a public name went or came: read the difference, then `make golden`"


@pytest.mark.parametrize("package", KINDS)
def test_type_checkers_are_told_of_all_that_the_catalogue_offers(package):
    begin = f"{package}."
    listed = {
        tuple(spec.target.removeprefix(begin).split(":"))
        for kind in KINDS[package] for spec in catalogue.specs(kind) if spec.target.startswith(begin)
    }  # fmt: skip
    tree = ast.parse(Path(str(importlib.import_module(f"mainstem.{package}").__file__)).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module]
    told = {(node.module, each.name) for node in imports for each in node.names}
    missing = "".join(f"\n    from .{module} import {name} as {name}" for module, name in sorted(listed - told))
    assert not missing, f"put into `if TYPE_CHECKING` of mainstem/{package}/__init__.py:{missing}"


@pytest.mark.slow
def test_a_user_s_strict_type_checker_finds_what_is_wrong_and_nothing_else(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path), "user.py"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    found = [line.split(":", 2) for line in done.stdout.splitlines() if ": note:" not in line]
    assert {int(line): WRONG[int(line)] in message for _, line, message in found} == dict.fromkeys(WRONG, True), done
