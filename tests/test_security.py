"""SECURITY.md: the tests that it names are there, and the promises that no other test holds."""

import ast
import re
import socket
from pathlib import Path

import pytest
import tiny_run

import mainstem
from mainstem import train

ROOT = Path(__file__).parents[1]
PACKAGE = Path(mainstem.__file__).parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)

RUNS = {"eval", "exec", "__import__", "execfile"}
"""Functions that run text."""

UNPACKS = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib", "runpy", "imp"}
"""Modules whose files are programs."""

READS = {
    ("torch", "load"),
    ("torch", "save"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("np", "load"),
}


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_it_names_is_there(path, name):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


SENDS = re.compile(r"(broadcast|gather|scatter|send|recv)_object")
"""Calls of torch.distributed that send pickles."""


def dangers(code):
    """Return what in `code` could run what a file holds."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RUNS:
            found.append(node.func.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in READS:
            found.append(f"{node.value.id}.{node.attr}")
        if isinstance(node, ast.Attribute) and SENDS.search(node.attr):
            found.append(node.attr)
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name.partition(".")[0] in UNPACKS]
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPACKS:
            found.append(node.module)
        if isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{each.name}" for each in node.names if (node.module, each.name) in READS]
    return found


def test_nothing_in_the_package_can_run_what_a_file_holds():
    found = {
        str(path.relative_to(PACKAGE)): dangers(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")
    }
    # The types of fields as they stand in the package's own source, with no built-in function at hand.
    assert {name: what for name, what in found.items() if what} == {"config/owned.py": ["eval"]}


def test_dangers_are_seen():
    assert dangers("import pickle.x\nfrom marshal import loads\neval('1')\ntorch.load(f)\nmodel.eval()") == [
        "pickle.x", "marshal", "eval", "torch.load"
    ]  # fmt: skip
    assert dangers("from torch import load\nd.broadcast_object_list(x)\nd.all_gather_object(x, y)") == [
        "torch.load", "broadcast_object_list", "all_gather_object"
    ]  # fmt: skip


def opened_to_write(code):
    """Return the calls of `os.open` in `code` that make a file, as text."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    found = [ast.unparse(call) for call in calls if ast.unparse(call.func) == "os.open"]
    return [call for call in found if "O_CREAT" in call]


def test_what_is_opened_to_be_written_follows_no_link():
    found = [call for path in PACKAGE.rglob("*.py") for call in opened_to_write(path.read_text(encoding="utf-8"))]
    assert len(found) >= 5
    assert [call for call in found if "O_NOFOLLOW" not in call] == []


def test_a_training_opens_no_socket(tmp_path, monkeypatch):
    def opened(*given, **named):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", opened)
    monkeypatch.setattr(socket, "create_connection", opened)
    monkeypatch.setattr(socket, "getaddrinfo", opened)
    monkeypatch.chdir(tmp_path)
    train.run(tiny_run.run(tiny_run.text(tmp_path), "made"))
    assert (tmp_path / "made" / "model.safetensors").exists()
