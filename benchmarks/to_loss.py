"""Time to a loss: the recipe shakespeare-char against nanoGPT's CPU recipe, as whole processes, in turn.

    python benchmarks/to_loss.py TEXT --seeds 0 1 2 [--out docs/results/to_loss.json]

Each side is a process of its own from start to end, imports, evaluation and report included. The held-out loss is a
full pass over the last tenth of the characters in windows of 64 without overlap. The baseline's full pass is made in
a run of its own for the first seed, so that its time holds nothing that nanoGPT's script does not do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
RECIPE = "shakespeare-char"


def timed(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


def started(modules: str) -> float:
    """Return the seconds that a process takes to start and to import what a side needs, median of five."""
    return statistics.median(timed([sys.executable, "-c", f"import {modules}"])[0] for _ in range(5))


def ours(text: str, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "mainstem", "train", text, "--recipe", RECIPE, "--out", str(out)]
        seconds, _ = timed([*command, "--seed", str(seed)])
        reached = json.loads((out / "facts.json").read_text())["outcome"]
        # The best weights are judged again by the command that a user has for it, in the same windows.
        return {"seed": seed, "seconds": seconds, "held_out": reached["best"]["nats_per_token"]}


def theirs(text: str, seed: int, full_pass: bool) -> dict[str, float]:
    command = [sys.executable, str(HERE / "baseline.py"), text, "--seed", str(seed)]
    seconds, printed = timed(command if full_pass else [*command, "--no-full-pass"])
    return {"seed": seed, "seconds": seconds, "held_out": json.loads(printed)["held_out"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--baselines", type=int, default=3, help="how many of the seeds the baseline runs as well")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    mine, other = [], []
    for seed in given.seeds:
        if len(other) < given.baselines:
            other.append(theirs(given.text, seed, full_pass=False))
            print(json.dumps({"baseline": other[-1]}), flush=True)
        mine.append(ours(given.text, seed))
        print(json.dumps({"ours": mine[-1]}), flush=True)
    reference = theirs(given.text, given.seeds[0], full_pass=True)
    # The baseline's optimizer imports torch's compiler, once, when it is made.
    start = {"ours": started("mainstem.train.runner"), "baseline": started("numpy, torch, torch._dynamo")}
    pairs = [(a["seconds"], b["seconds"]) for a, b in zip(mine, other, strict=False)]
    bare = [(a - start["ours"]) / (b - start["baseline"]) for a, b in pairs]
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(mine, other, strict=False)]
    result = {
        "command": [
            "python",
            "benchmarks/to_loss.py",
            "tinyshakespeare.txt",
            "--seeds",
            *map(str, given.seeds),
            "--baselines",
            str(given.baselines),
        ],
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip(),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "ours": mine,
        "baseline": other,
        "baseline_full_pass": reference["held_out"],
        "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
        "start_seconds": start,
        "ratio_without_start": {"median": statistics.median(bare), "min": min(bare), "max": max(bare)},
    }
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
