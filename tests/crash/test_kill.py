"""Kill anywhere, same bytes: every operation on the disk in turn, power cuts, and real signals at random moments.

CRASH_KILLS=300 kills so often at random, and CRASH_RECORD=FILE has a line of each kill, so that what was ended goes on.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import driver
import record

from mainstem import crash

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).parent / "driver.py"
STEPS = 600
KILLS = int(os.environ.get("CRASH_KILLS", "30"))


def _environment(tmp_path: Path) -> dict[str, str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": path}


def _sweep(tmp_path: Path, power: int, stride: int, what: str = "sweep") -> dict[str, Any]:
    command = [sys.executable, str(DRIVER), what, str(tmp_path), str(power), "1", str(stride)]
    done = subprocess.run(command, env=_environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("power", [0, 1], ids=["kill", "power cut"])
def test_an_end_at_any_operation_changes_nothing(tmp_path: Path, power: int) -> None:
    stride = int(os.environ.get("CRASH_STRIDE", "2"))
    found = _sweep(tmp_path, power, stride)
    assert found["wrong"] == []
    assert found["killed"] * stride > 100  # operations there are
    assert found["steps"] == list(range(1, 13))
    assert "counts.safetensors" in found["names"]
    assert not [name for name in found["names"] if ".new-" in name or ".old-" in name]


@pytest.mark.parametrize("power", [0, 1], ids=["kill", "power cut"])
def test_an_end_while_a_budget_is_estimated_anew_changes_nothing(tmp_path: Path, power: int) -> None:
    """The first guess is twice what fits: estimates correct it, and stand in the checkpoints that are interrupted."""
    stride = 3 * int(os.environ.get("CRASH_STRIDE", "2"))
    found = _sweep(tmp_path, power, stride, "budget")
    assert found["wrong"] == []
    assert found["killed"] * stride > 100
    assert found["steps"] == list(range(1, found["length"]["steps"] + 1))
    assert 12 < found["length"]["since"] < found["length"]["steps"] < 26
    assert not [name for name in found["names"] if ".new-" in name or ".old-" in name]


def _train(tmp_path: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVER), "train", str(out), f"train.steps={STEPS}"]
    command += ["evaluate.every=50", "save.every=5", *more]
    return subprocess.Popen(
        command, env=_environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err


def _timeless(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "phases")} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    _finish(_train(folder, folder / "run"))
    return folder / "run"


def _same(out: Path, whole: Path) -> None:
    for name in ("model.safetensors", "last/model.safetensors"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert _timeless(out) == _timeless(whole)
    assert [line["step"] for line in _timeless(out)] == list(range(1, STEPS + 1))
    assert list(out.rglob(".*")) == []


def test_sigkill_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `mainstem crash` does it, with everything compared that a run leaves."""
    for name, value in _environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    words = [sys.executable, str(DRIVER), "train", "{out}", "train.steps=300", "evaluate.every=50", "save.every=5"]
    folder = tmp_path / "trial"
    folder.mkdir()
    driver.corpus(folder)

    def look(out: Path) -> dict[str, object]:
        metrics = {"metrics.jsonl": _timeless(out), "left": [path.name for path in out.rglob(".*")]}
        return {**crash.digests(out, driver.MODELS), **metrics}

    said: list[str] = []
    seed = int(os.environ.get("CRASH_SEED", "0"))
    kept = record.Kills(record.place(tmp_path), processes=1)
    plan = crash.Plan(
        words, words, look, folder, kills=KILLS, damages=False, seed=seed, before=kept.before, note=kept.note
    )
    found = crash.run(plan, said.append)
    print(*said, sep="\n")
    assert len(found.names) == 5
    assert len(found.kills) >= 0.9 * KILLS, said
    assert [kill for kill in found.kills if not kill.same] == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_polite_signal_saves_and_loses_no_step(
    tmp_path: Path, whole: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    process = _train(tmp_path, out, "save.every=100000")
    while process.poll() is None and not ((out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size):
        time.sleep(0.01)  # until steps have been taken: before the first one there is nothing to save
    time.sleep(0.5)
    process.send_signal(number)
    began = time.monotonic()
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == code
    saved = [int(path.name.removeprefix("step-")) for path in (out / "checkpoints").iterdir()]
    assert len(saved) == 1
    assert len(_timeless(out)) in (saved[0], saved[0] - 1)  # less one where a held-out pass was interrupted
    assert f"saved at step {saved[0]}" in said
    _finish(_train(tmp_path, out, "save.every=100000"))
    _same(out, whole)


def test_the_second_signal_stops_at_once(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _train(tmp_path, out, "save.every=100000", "evaluate.every=100000", "width=512", "train.batch=256")
    while not (out / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_second_trainer_is_refused_and_the_first_goes_on(tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "run"
    first = _train(tmp_path, out)
    while not (out / "metrics.jsonl").exists() and first.poll() is None:
        time.sleep(0.01)
    second = _train(tmp_path, out)
    _, said = second.communicate(timeout=60)
    _finish(first)
    assert second.returncode == 2
    assert f"pid {first.pid}" in said
    # A warning of what this run's penalty and decay do together stands before the one sentence.
    assert "is being trained by" in said.splitlines()[-1] and "Traceback" not in said
    _same(out, whole)
