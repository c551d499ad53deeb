"""Remedies are commands that can be copied."""

import ast
import re
import shlex
from pathlib import Path

import pytest

import mainstem
from mainstem.errors import command

COMMAND = re.compile(r"\bmainstem (train|sample|report|evaluate|probe|lab|compare)\b")


@pytest.mark.parametrize("path", ["runs/last", "my runs/first", "it's", "$HOME/x", "a;b", "größe"])
def test_a_shell_reads_a_command_as_it_was_meant(path: str) -> None:
    assert shlex.split(command("train", "--resume", path)) == ["mainstem", "train", "--resume", path]


def _pasted(source: str) -> list[str]:
    """Return the f-strings in which a value stands behind a command of ours."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
            if re.search(COMMAND.pattern + r"[^`\n]*\0", "".join(map(str, parts))):
                found.append(ast.unparse(node))
    return found


def test_no_message_pastes_a_value_behind_a_command_by_hand() -> None:
    """`command` quotes what a shell would take apart."""
    root = Path(mainstem.__file__).parent
    assert {path.name: found for path in root.rglob("*.py") if (found := _pasted(path.read_text()))} == {}


def test_such_a_message_would_be_found() -> None:
    assert _pasted("f'go on with `mainstem train --resume {out}`'")
    assert not _pasted("f'{out} is not a run: see `mainstem train --help`'")
