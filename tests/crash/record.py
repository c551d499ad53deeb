"""What the trials of a long test came to, a line each in a file, so that one that was ended goes on where it stood."""

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

import mainstem
from mainstem.crash import Killed

Line = dict[str, Any]


class Record:
    """The lines of the file at `path` that have all fields `names`, by the values of these.

    A line that was not written to its end is taken away. Lines of other code stay in the file and count nothing: `code`
    is a hash of the package, unless it is given.
    """

    def __init__(self, path: Path, names: tuple[str, ...], code: str | None = None) -> None:
        self._path, self._names, self._code = path, names, code or package()
        data = path.read_bytes() if path.exists() else b""
        end = data.rfind(b"\n") + 1
        if end != len(data):
            os.truncate(path, end)
        lines = [json.loads(line) for line in data[:end].splitlines()]
        own = [line for line in lines if line["code"] == self._code and all(name in line for name in names)]
        self.lines = {self._key(line): line for line in own}

    def get(self, *key: Any) -> Line | None:
        """Return the line of one trial; None where it has not been made."""
        return self.lines.get(key)

    def add(self, line: Line) -> None:
        """Write the line of one trial, so that it is there whatever happens next."""
        line = {"code": self._code, **line}
        with self._path.open("a") as stream:
            stream.write(f"{json.dumps(line)}\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.lines[self._key(line)] = line

    def _key(self, line: Line) -> tuple[Any, ...]:
        return tuple(line[name] for name in self._names)


class Kills:
    """The kills of a run of so many `processes`, by their number: what `crash.Plan` is given as `before` and `note`."""

    def __init__(self, path: Path, processes: int) -> None:
        self._record, self._processes = Record(path, ("processes", "kill")), processes

    @property
    def before(self) -> dict[int, Killed]:
        """The kills that the file has."""
        return {
            number: Killed(line["moment"], line["exit"], line["said"], tuple(line["differs"]))
            for (processes, number), line in self._record.lines.items()
            if processes == self._processes
        }

    def note(self, number: int, kill: Killed) -> None:
        """Write the line of a kill."""
        self._record.add({
            "processes": self._processes, "kill": number, "moment": round(kill.moment, 3), "exit": kill.code,
            "said": kill.said, "differs": list(kill.differs), "resumed": kill.resumed, "same": kill.same,
        })  # fmt: skip


@functools.cache
def package() -> str:
    """Return a hash of torch's version and of all files of the package that is imported here."""
    found = hashlib.sha256(torch.__version__.encode())
    folder = Path(mainstem.__file__).parent
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        found.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def place(otherwise: Path) -> Path:
    """Return where the record of a test is: where CRASH_RECORD says, else a file of its own."""
    return Path(os.environ["CRASH_RECORD"]).absolute() if os.environ.get("CRASH_RECORD") else otherwise / "record.jsonl"
