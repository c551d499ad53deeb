"""What a run takes does not grow with its steps: memory, open files, files in temporary folders."""

from __future__ import annotations

import gc
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import tiny_run

from mainstem import train
from mainstem.runs.listener import Listener, Outcome
from mainstem.train.console import Plain

MOST = 8 << 20
"""Bytes by which the memory of 10,000 steps may grow."""


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


class Watched(Listener):
    """Notes memory and open files at some steps, and what lies in the temporary folder at the end."""

    def __init__(self, steps: tuple[int, ...], memory: Any) -> None:
        self.steps, self.memory = steps, memory
        self.found: dict[int, tuple[int, list[str]]] = {}
        self.left: list[str] | None = None

    def stepped(self, line: dict[str, Any]) -> None:
        if line["step"] in self.steps:
            gc.collect()  # files of other tests in this process
            links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _there(name)]
            self.found[line["step"]] = self.memory(), sorted(links)

    def ended(self, outcome: Outcome | None) -> None:
        self.left = os.listdir(tempfile.gettempdir())


def _there(name: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{name}") and not os.readlink(f"/proc/self/fd/{name}").startswith("/proc/")


def _go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched, **more: Any) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train.run(tiny_run.run(tiny_run.text(tmp_path), tmp_path / "run", **more), console=Plain(None), listeners=[watched])
    assert watched.left == []
    (_, before), (_, after) = (watched.found[step] for step in watched.steps)
    assert after == before
    assert list((tmp_path / "run").rglob(".*")) == []


def test_neither_objects_nor_files_become_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched((100, 200), _objects)
    _go(tmp_path, monkeypatch, watched, train={"steps": 202}, evaluate={"every": 50, "tokens": 64}, save={"every": 50},
        optim={"average": 0.9}, log={"every": 10, "quantities": 25})  # fmt: skip
    # Fewer than one a step: what is kept a while (orders of windows, lines that wait) is at most so many.
    assert watched.found[200][0] - watched.found[100][0] < 100


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, where memory is read")
def test_10000_steps_of_nano(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched((1_000, 10_000), _resident)
    nano = {"preset": "nano", "layers": None, "width": None, "heads": None, "context": 32}
    _go(tmp_path, monkeypatch, watched, model=nano, train={"steps": 10_001, "batch": 1, "patience": 0},
        evaluate={"every": 500, "tokens": 256}, save={"every": 250}, log={"every": 100, "quantities": 100})  # fmt: skip
    grown = watched.found[10_000][0] - watched.found[1_000][0]
    print(f"memory grew by {grown / 2**20:.2f} MB over 9,000 steps")
    assert grown < MOST
