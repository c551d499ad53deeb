"""`make lint` names a package whose licence is not permitted, and says where known weaknesses were not looked for."""

import importlib.util
import sys
from email.message import Message
from pathlib import Path
from types import SimpleNamespace

import pytest

PATH = Path(__file__).parents[1] / ".ci" / "packages.py"
spec = importlib.util.spec_from_file_location("packages", PATH)
packages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(packages)


@pytest.mark.parametrize(
    ("said", "permitted"),
    [
        ("MIT", True), ("BSD License", True), ("Apache-2.0 AND MIT", True), ("MIT OR GPL-3.0-only", True),
        ("Apache-2.0 AND GPL-2.0-only", False), ("GPL-3.0-or-later", False), ("Proprietary", False), ("", False),
        ("Apache Software License; BSD License", True),
    ],
)  # fmt: skip
def test_which_licences_are_permitted(said, permitted):
    assert packages.permitted(said) == permitted


def package(**told):
    metadata = Message()
    for name, value in told.items():
        metadata[name.replace("_", "-")] = value
    return SimpleNamespace(metadata=metadata, requires=[])


def test_a_package_without_a_permitted_licence_is_named(monkeypatch):
    found = {
        "good": package(License_Expression="MIT"),
        "old": package(Classifier="License :: OSI Approved :: BSD License"),
        "copyleft": package(License="GPLv3"),
        "silent": package(),
    }
    monkeypatch.setattr(packages, "closure", lambda name: found)
    assert packages.wrong_licences() == ["copyleft: GPLv3", "silent: no licence"]


def test_what_is_installed_is_permitted():
    assert len(packages.closure("mainstem")) > 10
    assert packages.wrong_licences() == []


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (None, 0, "pip-audit is not installed: known weaknesses were not looked for."),
        ("echo 'requests.exceptions.ConnectionError: gone' >&2; exit 1", 0, "pip-audit does not reach its database"),
        ("exec sleep 60", 0, "pip-audit does not reach its database"),
        ("echo 'jinja2 3.0 PYSEC-1'; exit 1", 1, "jinja2 3.0 PYSEC-1"),
        ("echo 'No known vulnerabilities found' >&2", 0, "No known vulnerabilities found"),
    ],
)
def test_weaknesses_are_asked_for_where_that_is_possible(tmp_path, monkeypatch, capsys, script, code, said):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(packages, "_LONGEST", 0.2 if script == "exec sleep 60" else 60.0)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if script is not None:
        (tmp_path / "pip-audit").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "pip-audit").chmod(0o755)
    assert packages.audit() == code
    assert said in capsys.readouterr().out
