"""`mainstem doctor` says what is there, and what the missing costs, whatever is missing."""

import importlib
import importlib.metadata
import re
from pathlib import Path
from typing import Any

import pytest

from mainstem import ops
from mainstem.cli import doctor
from mainstem.cli.main import main

Capture = pytest.CaptureFixture[str]


def test_it_says_it_all(capsys: Capture) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    named = (*doctor._NEEDED, *doctor._OPTIONAL, *doctor._PROGRAMS)
    for name in ("mainstem", "python", *named, "cpu", "products", "kernels", "devices", "cache", "disk"):
        assert f"\n{name} " in f"\n{out}"
    # A path is not cut, so that it can be copied.
    assert all(len(line) <= 80 or "/" in line for line in out.splitlines())


def test_it_knows_every_dependency() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    lists = re.findall(r"^(?:dependencies|test|tensorboard|triton|docs|dev) = \[(.*?)\]$", project, re.M | re.S)
    asked = {re.match(r"[\w-]+", name).group() for part in lists for name in re.findall(r'"([^"]+)"', part)}  # type: ignore[union-attr]
    named = {doctor._DISTRIBUTIONS.get(name, name) for name in (*doctor._NEEDED, *doctor._OPTIONAL)}
    assert len(lists) == 6
    assert asked - {"mainstem"} == named


def test_what_is_optional_and_missing_costs_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "version", without)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    found = {finding.name: finding for finding in doctor.findings()}
    for name, cost in doctor._OPTIONAL.items():
        assert found[name] == doctor.Finding(name, "not installed", cost)
    for name, cost in doctor._PROGRAMS.items():
        assert found[name] == doctor.Finding(name, "not found", cost)
    assert found["torch"].cost is None


def test_without_kernels_it_says_what_that_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    none = {"implementation": "reference", "variant": None, "variants": [], "threads": "none", "library": None}
    monkeypatch.setattr(ops, "info", lambda: {**none, "reason": "no compiler"})
    finding = doctor._kernels()
    assert "no compiler" in finding.state
    assert finding.cost is not None
    assert "slower" in finding.cost


@pytest.mark.parametrize(("name", "code"), [("rich", 0), ("torch", 1)])
def test_a_missing_package_is_named(name: str, code: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(module: str, package: str | None = None) -> Any:
        if module == name:
            raise ImportError(f"No module named {name!r}")
        return real(module, package)

    monkeypatch.setattr(importlib, "import_module", without)
    assert main(["doctor"]) == code
    out = " ".join(capsys.readouterr().out.split())
    assert f"{name} missing (No module named '{name}'), so {doctor._NEEDED[name]}" in out


def test_without_a_place_for_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert doctor._cache().cost is not None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert doctor._cache() == doctor.Finding("cache", str(tmp_path / "mainstem"))


def test_little_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert doctor._disk().cost == "checkpoints may not fit"


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1 core, torch uses 1 thread,"), (8, "8 cores, torch uses 8 threads")]
)
def test_one_core_is_one(number: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: number)
    monkeypatch.setattr("torch.get_num_threads", lambda: number)
    assert doctor._cpu().state.startswith(said)
