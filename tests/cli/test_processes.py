"""What torchrun and `--launch` start: one training, one sentence, and one exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mainstem.cli import launch, processes
from mainstem.cli.main import main
from mainstem.errors import BadInput, RunFailed
from mainstem.train.processes import joining, speaking
from mainstem.train.processes.meeting import Meeting
from mainstem.train.world import World

SUPPORT = Path(__file__).parents[1] / "support"


_MODULE = ("-m", "mainstem")


def _torchrun(
    number: int,
    words: list[str],
    folder: Path,
    *options: str,
    script: tuple[str, ...] = ("-m", "mainstem"),
    **more: str,
) -> subprocess.CompletedProcess[str]:
    logs = ["--log-dir", str(folder / "logs"), "--tee", "3"]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={number}", *logs]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    return subprocess.run(
        [*start, *options, *script, *words], capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )


def _losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_of_torchrun_say_one_sentence_and_leave_nothing(corpus: Path, tmp_path: Path) -> None:
    ended = _torchrun(2, ["train", "absent.txt", "--out", "run"], tmp_path)
    assert ended.returncode != 0
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "mainstem: " in line]
    assert len(said) == 1, ended.stderr
    assert "mainstem: 'absent.txt' does not exist: give the name of a file" in said[0]
    assert "exitcode  : 2 " in ended.stderr
    assert os.listdir(tmp_path) == ["logs"]


def test_a_run_of_which_a_process_is_killed_goes_on_by_itself(
    corpus: Path, tmp_path: Path, tiny: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(corpus), *tiny, "--save.every", "1", "--out"]
    script = (str(SUPPORT / "killed_ranks.py"),)
    ended = _torchrun(2, [*words, "killed"], tmp_path, "--max-restarts", "1", script=script, KILLED="3")
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stderr.splitlines() if "mainstem: " in line]
    assert len(said) == 1, ended.stderr
    assert "Process 1 of 2 has ended, killed or without memory" in said[0]
    assert "saved at step 2. Go on with: `mainstem train --resume killed`" in said[0]
    assert "going on at step 2 of 4" in ended.stdout
    assert main([*words, str(tmp_path / "whole")]) == 0
    assert _losses(tmp_path / "killed") == pytest.approx(_losses(tmp_path / "whole"), rel=1e-4)


def test_launch_trains_in_several_processes_and_answers_once(
    corpus: Path, tmp_path: Path, tiny: tuple[str, ...], finished: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    words = ["train", str(corpus), *tiny, "--out", "run", "--launch", "2", "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    ended = subprocess.run(
        [sys.executable, "-m", "mainstem", *words], capture_output=True, text=True, cwd=tmp_path, env=environment,
        timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["steps"] == 4
    assert ended.stderr.count("ended after 4 steps") == 1
    facts = json.loads((tmp_path / "run" / "facts.json").read_text())
    assert facts["machine"]["processes"] == 2
    assert _losses(tmp_path / "run") == pytest.approx(_losses(finished), rel=1e-4)
    left = [path for path in (tmp_path / "tmp").iterdir() if path.name.startswith(("mainstem-", "torchelastic_"))]
    assert left == []


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "4097", "9" * 30])
def test_a_number_of_processes_is_one_from_1(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "absent", "--launch", text]) == 2
    assert f"--launch '{text}' is no number of processes: give one from 1" in capsys.readouterr().err


def test_a_number_of_processes_that_python_does_not_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "absent", "--launch", "9" * 5000]) == 2
    said = capsys.readouterr().err
    assert "is no number of processes: give one from 1" in said and len(said) < 200


def test_launch_is_for_a_process_that_was_started_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.number("2") == 2
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(BadInput, match="this is one of 3 that were started already"):
        launch.number("2")
    monkeypatch.setenv(processes.LAUNCHED, "1.5")  # by --launch itself, whose words each process is given
    assert launch.number("2") == 2 and processes.began() == 1.5


def test_launch_shares_the_cores_between_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(launch, "_launch", lambda *_: given.append(os.environ["OMP_NUM_THREADS"]))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6), raising=False)
    assert [launch.start(count, [], 0.0) for count in (1, 4, 8)] == [0, 0, 0]
    monkeypatch.delattr(os, "sched_getaffinity")  # which macOS does not have
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert launch.start(2, [], 0.0) == 0
    assert given == ["6", "1", "1", "5"] and "OMP_NUM_THREADS" not in os.environ


def test_a_launched_run_has_the_code_of_its_worst_process() -> None:
    def failed(**codes: int) -> dict[int, Any]:
        return {int(name[1:]): SimpleNamespace(exitcode=code) for name, code in codes.items()}

    assert launch.code(failed(p0=2, p1=2)) == 2
    assert launch.code(failed(p0=1, p1=-signal.SIGTERM)) == 1
    assert launch.code(failed(p1=-signal.SIGKILL)) == 1
    with pytest.raises(RunFailed, match=r"The process that leads was ended by SIGKILL, as .* where memory runs out"):
        launch.code(failed(p0=-signal.SIGKILL, p1=1))


def test_a_run_whose_leading_process_was_killed_says_what_there_is_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said "from the last checkpoint" where none had been saved, or not even a folder was there."""
    monkeypatch.chdir(tmp_path)

    def said(out: str | None) -> str:
        with pytest.raises(RunFailed) as raised:
            launch.code({0: SimpleNamespace(exitcode=-signal.SIGKILL)}, out)
        return str(raised.value).partition("memory runs out: ")[2]

    assert said(None).endswith("goes on from the last checkpoint, or from the start where none was saved.")
    assert said("run") == "no run was in 'run' yet, so give the command again."
    (tmp_path / "run").mkdir()
    assert said("run") == "no run was in 'run' yet, so give the command again."
    (tmp_path / "run" / "config.yaml").write_text("version: 2\n")
    assert said("run") == "nothing was saved yet. Go on with: `mainstem train --resume run`."
    (tmp_path / "run" / "checkpoints" / "step-40").mkdir(parents=True)
    assert said("run") == "saved at step 40. Go on with: `mainstem train --resume run`."


def test_who_is_started_again_needs_a_name(
    monkeypatch: pytest.MonkeyPatch, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    assert main(["train", str(corpus), "--train.steps", "1"]) == 2
    assert "up to 3 times (--max-restarts), and the run has no name to be found by" in capsys.readouterr().err


def test_one_process_of_torchrun_trains(corpus: Path, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    ended = _torchrun(1, ["train", str(corpus), "--out", "run", *tiny], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("command", ["lab", "compare"])
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
    code = "import sys; from mainstem.cli.main import main; print(flush=True); sys.exit(main(['lab']))"
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


def test_launch_passes_a_request_to_save_on() -> None:
    code = "import signal; signal.signal(signal.SIGUSR1, lambda *_: exit(7)); print(flush=True); signal.pause()"
    before = signal.getsignal(signal.SIGUSR1)
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:  # not of the launch: it is left alone
        assert other.stdout is not None
        other.stdout.readline()
        with launch.passed_on(), subprocess.Popen(words, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            os.kill(os.getpid(), signal.SIGUSR1)
            try:
                assert child.wait(30) == 7
                assert other.poll() is None
            finally:
                child.kill()
                other.kill()
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("a is b: give c."), 2, "Process 1 of 2: a is b: give c."),
        (RunFailed("it fell."), 1, "Process 1 of 2: it fell."),
        (OSError(28, "No space left on device"), 1, "Process 1 of 2: OSError: [Errno 28] No space left on device."),
    ],
)
def test_what_goes_wrong_elsewhere_is_said_once_by_the_first(
    error: Exception, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = torch.distributed.HashStore()
    worlds = [World(rank, 2, rank, Meeting(store, rank, 2)) for rank in range(2)]
    monkeypatch.setattr(processes, "_outlive", lambda: None)
    monkeypatch.setattr(processes, "_HEARD", 0.1)
    monkeypatch.setattr(joining, "join", lambda: worlds[int(os.environ["RANK"])])

    def fail(_: World) -> int:
        raise error

    def wait(world: World) -> int:
        assert world.meeting is not None
        world.meeting.word("never", 0)
        return 0

    monkeypatch.setenv("RANK", "1")
    assert processes.together(fail) == code
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    assert processes.together(wait) == code
    assert capsys.readouterr().err == f"mainstem: {said}\n"
    assert worlds[1].meeting is not None
    assert speaking.hear(worlds[1].meeting, 30)
