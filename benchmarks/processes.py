"""What several processes and checkpoints cost beside one process without them: `python benchmarks/processes.py`.

Trains the same model in two processes of one thread, whole and in parts, and in one process of two threads, by turns,
and prints how many times as many tokens a second they take, and where the time of a step goes. Then the share of a
minute that training waits for one checkpoint a minute, by the phases of `metrics.jsonl`, and the seconds from the kill
of one of two processes to the next step of those that torchrun starts again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIDES: dict[str, list[str]] = {
    "one process, two threads": ["--machine.threads", "2"],
    "two processes, one thread each": ["--launch", "2", "--machine.threads", "1"],
    "two processes, in parts": ["--launch", "2", "--machine.threads", "1", "--machine.shard"],
}
_WORK = ("data", "forward", "backward", "update")


def words(folder: Path, text: Path, steps: int) -> list[str]:
    """Return what trains the model for `steps`."""
    return [
        "train", str(text), "--out", str(folder), "--model.preset", "small", "--data.tokenizer", "byte",
        "--train.steps", str(steps), "--train.batch", "8", "--evaluate.tokens", "512", "--evaluate.every", "100000",
        "--log.quantities", "0", "--optim.average", "0.99",
    ]  # fmt: skip


def lines(folder: Path, text: Path, steps: int, more: list[str]) -> list[dict[str, Any]]:
    """Train for `steps` and return the lines of metrics.jsonl."""
    command = [sys.executable, "-m", "mainstem", *words(folder, text, steps), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def step(found: list[dict[str, Any]]) -> float:
    """Return the median seconds of a step, the first five left out."""
    return statistics.median(sum(line["phases"].get(name, 0.0) for name in _WORK) for line in found[5:])


def where(found: list[dict[str, Any]]) -> str:
    """Return the median share of a step that each phase takes, the first five steps left out."""
    shares = {name: statistics.median(line["phases"].get(name, 0.0) for line in found[5:]) for name in _WORK}
    return ", ".join(f"{name} {seconds:.3f}" for name, seconds in shares.items())


def children(process: int) -> set[int]:
    """Return the processes that `process` has started and that run."""
    return {int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()}


def recovery(folder: Path, text: Path) -> float:
    """Return the seconds from the kill of one of two processes to a line of the next step; lines wait up to one."""
    launcher = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1",
        "-m", "mainstem",
    ]  # fmt: skip
    metrics = folder / "metrics.jsonl"
    started = subprocess.Popen(
        [*launcher, *words(folder, text, 40), "--save.every", "5"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        _until(lambda: metrics.exists() and metrics.read_text().count("\n") > 8)
        before = children(started.pid)
        began = time.monotonic()
        os.kill(max(before), signal.SIGKILL)
        _until(lambda: len(children(started.pid) - before) == 2)
        least = metrics.stat().st_size

        def grown() -> bool:
            nonlocal least
            size = metrics.stat().st_size
            least = min(least, size)
            return size > least

        _until(grown)
        return time.monotonic() - began
    finally:
        started.terminate()
        started.wait()


def _until(true: Any) -> None:
    """Wait until ``true()`` is."""
    ends = time.monotonic() + 600
    while not true():
        if time.monotonic() > ends:
            raise TimeoutError("the training has not come so far in ten minutes")
        time.sleep(0.05)


def main() -> None:
    """Print a row for each side, one for checkpoints, and one for a kill."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--text", type=Path, default=Path(os.__file__).parent / "typing.py")
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    shares: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name, more in SIDES.items():
                out = Path(folder, f"{number}-{len(more)}")
                found = lines(out, given.text, given.steps, [*more, "--save.every", "100000"])
                seconds[name].append(step(found))
                shares[name] = where(found)
        first = seconds[next(iter(SIDES))]
        for name, own in seconds.items():
            ratios = sorted(a / b for a, b in zip(first, own, strict=True))
            middle = statistics.median(ratios)
            print(f"{name}: {statistics.median(own):.3f} s a step, {middle:.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})")
            print(f"  of the last round: {shares[name]}")
        found = lines(Path(folder, "saved"), given.text, 4 * given.steps, ["--save.every", str(given.steps)])
        again = recovery(Path(folder, "killed"), given.text)
    waits = [line["phases"]["save"] for line in found if "save" in line["phases"]]
    print(f"a checkpoint: {statistics.median(waits):.3f} s of waiting, {statistics.median(waits) / 60:.2%} of a minute")
    print(f"a process killed: {again:.1f} s to the next step")


if __name__ == "__main__":
    main()
