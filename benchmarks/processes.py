"""What several processes and checkpoints cost beside one process without them: `python benchmarks/processes.py`.

Trains the same model in two processes of one thread, whole and in parts, and in one process of two threads, by turns,
and prints how many times as many tokens a second they take. Then the share of a minute that training waits for one
checkpoint a minute, by the phases of `metrics.jsonl`. May import everything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SIDES: dict[str, list[str]] = {
    "one process, two threads": ["--machine.threads", "2"],
    "two processes, one thread each": ["--launch", "2", "--machine.threads", "1"],
    "two processes, in parts": ["--launch", "2", "--machine.threads", "1", "--machine.shard"],
}
_WORK = ("data", "forward", "backward", "update")


def lines(folder: Path, text: Path, steps: int, more: list[str]) -> list[dict[str, Any]]:
    """Train for `steps` and return the lines of metrics.jsonl."""
    words = [
        "train", str(text), "--out", str(folder), "--model.preset", "small", "--data.tokenizer", "byte",
        "--train.steps", str(steps), "--train.batch", "8", "--evaluate.tokens", "512", "--evaluate.every", "100000",
        "--log.quantities", "0", "--optim.average", "0.99", *more,
    ]  # fmt: skip
    subprocess.run([sys.executable, "-m", "mainstem", *words], check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def step(found: list[dict[str, Any]]) -> float:
    """Return the median seconds of a step, the first five left out."""
    return statistics.median(sum(line["phases"].get(name, 0.0) for name in _WORK) for line in found[5:])


def main() -> None:
    """Print a row for each side, and one for checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--text", type=Path, default=Path(os.__file__).parent / "typing.py")
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name, more in SIDES.items():
                out = Path(folder, f"{number}-{len(more)}")
                seconds[name].append(step(lines(out, given.text, given.steps, [*more, "--save.every", "100000"])))
        first = seconds[next(iter(SIDES))]
        for name, own in seconds.items():
            ratios = sorted(a / b for a, b in zip(first, own, strict=True))
            middle = statistics.median(ratios)
            print(f"{name}: {statistics.median(own):.3f} s a step, {middle:.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        found = lines(Path(folder, "saved"), given.text, 4 * given.steps, ["--save.every", str(given.steps)])
    waits = [line["phases"]["save"] for line in found if "save" in line["phases"]]
    print(f"a checkpoint: {statistics.median(waits):.3f} s of waiting, {statistics.median(waits) / 60:.2%} of a minute")


if __name__ == "__main__":
    main()
