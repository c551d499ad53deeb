"""facts.json and samples.json: what made a run and what came of it, for the report and for people. JSON only."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from .. import files
from . import environment
from .state import Length

NAME, SAMPLES = "facts.json", "samples.json"

Facts = dict[str, Any]

_log = logging.getLogger(__name__)


class _Corpus(Struct):
    hash: str | None = None


class _Outcome(Struct):
    prior: dict[str, Any] | None = None


class _Known(Struct):
    """The facts that code reads of a run that is resumed or loaded; the file holds much more, for the report."""

    command: list[str] | None = None
    corpus: _Corpus | None = None
    length: Length | None = None
    outcome: _Outcome | None = None
    yardsticks: dict[str, float] | None = None


def write(path: Path, values: Any) -> None:
    """Write `values` as JSON, atomically."""
    files.write_atomic(path, msgspec.json.format(msgspec.json.encode(values), indent=1) + b"\n")


def read(folder: Path) -> Facts | None:
    """Return the facts of the run in `folder`; None where there are none yet, or damaged ones, which are named."""
    path = folder / NAME
    if not os.path.lexists(path):
        return None
    try:
        found = files.load(path, Facts)
        files.checked(found, _Known, path)
    except files.Unusable as error:
        _log.warning("%s Nothing of it is used.", error)
        return None
    return found


def begun(folder: Path) -> Facts:
    """Return the command that began the run in `folder` and the one that goes on with it now; nothing for a new run."""
    command = (read(folder) or {}).get("command")
    return {"command": command, "resumed_by": environment.command()} if isinstance(command, list) else {}
