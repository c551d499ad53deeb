"""A scheduler's warning: a model of the size `small` is saved within ten seconds, stopped and continued before."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WITHIN = 10.0
WORDS = (
    "--model.preset small --data.tokenizer byte --model.prior none --train.steps 1000 --train.batch 4 "
    "--save.every 100000 --evaluate.every 100000 --evaluate.start false"
)


def _until(true: Callable[[], bool], process: subprocess.Popen[str], limit: float) -> float:
    began = time.monotonic()
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - began < limit
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_small_model_is_saved_in_time(tmp_path: Path, number: signal.Signals, code: int) -> None:
    text, out = tmp_path / "corpus.txt", tmp_path / "run"
    text.write_text(" ".join(["river", "delta", "mouth", "source", "bank"][i * i * 7 % 11 % 5] for i in range(60_000)))
    environment = {
        **os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }  # fmt: skip
    words = [sys.executable, "-m", "mainstem", "train", str(text), "--out", str(out), *WORDS.split()]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        try:
            metrics = out / "metrics.jsonl"
            _until(lambda: metrics.exists() and metrics.stat().st_size > 0, run, 120)
            run.send_signal(signal.SIGSTOP)
            time.sleep(1.0)
            before = metrics.stat().st_size
            time.sleep(1.0)
            assert metrics.stat().st_size == before
            run.send_signal(signal.SIGCONT)
            run.send_signal(signal.SIGUSR1)
            _until(lambda: any((out / "checkpoints").glob("step-*")), run, WITHIN)
            run.send_signal(number)
            began = time.monotonic()
            said, _ = run.communicate(timeout=60)
            assert time.monotonic() - began < WITHIN
            assert run.returncode == code, said
            saved = max(int(path.name.removeprefix("step-")) for path in (out / "checkpoints").glob("step-*"))
            assert f"saved at step {saved}" in " ".join(said.split())
        finally:
            run.kill()
