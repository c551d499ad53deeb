"""What torchrun starts: one sentence, and a training only where there is one process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainstem.cli import processes
from mainstem.cli.main import main


def _torchrun(number: int, words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    logs = ["--log-dir", str(folder / "logs"), "--tee", "3"]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={number}", *logs]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*start, "-m", "mainstem", *words], capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )


def test_two_processes_of_torchrun_say_one_sentence_and_leave_nothing(corpus: Path, tmp_path: Path) -> None:
    ended = _torchrun(2, ["train", str(corpus), "--out", "run"], tmp_path)
    assert ended.returncode != 0
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "mainstem: " in line]
    assert len(said) == 1, ended.stderr
    assert "2 processes were started" in said[0]
    assert "without torchrun" in said[0]
    assert "exitcode  : 2 " in ended.stderr
    assert os.listdir(tmp_path) == ["logs"]


def test_one_process_of_torchrun_trains(corpus: Path, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    ended = _torchrun(1, ["train", str(corpus), "--out", "run", *tiny], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("command", ["train", "lab", "compare"])
def test_what_trains_is_refused_before_it_looks_at_anything(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "0")
    assert main([command, "absent"]) == 2
    assert "4 processes were started" in capsys.readouterr().err
    assert main(["list"]) == 0
    monkeypatch.setattr(processes, "_PATIENCE", 0.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("RANK", "3")
    capsys.readouterr()
    assert main([command, "absent"]) == 2
    assert capsys.readouterr() == ("", "")


def test_the_others_outlive_the_request_to_end_until_the_first_has_spoken() -> None:
    code = "import sys; from mainstem.cli.main import main; print(flush=True); sys.exit(main(['train']))"
    environment = {**os.environ, "WORLD_SIZE": "2", "RANK": "1"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        time.sleep(0.4)
        other.terminate()
        assert other.wait(60) == 2


@pytest.mark.parametrize("size", ["", "1", "0", "two", "-1"])
def test_anything_but_several_is_one(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    assert processes.alone()
