"""Each kernel against what PyTorch has, as one table of ratios: `make bench`. Only ratios of one run mean anything.

The two sides take turns, so that a slow moment of the machine meets both; a ratio is the median of the pairs' ratios,
its spread half the distance between their quartiles. "x limit" says how many times as long ours takes as the machine
itself needs, in the same turns: for a copy of as many bytes as the case must read and write, or for a square matrix
product of as many operations, whichever is longer. On Linux the C library is told to keep the memory that either side
gives back: whether it does by itself is luck, and a page that it fetches anew costs as much as the numbers on it.

    python benchmarks/table.py [--only PART] [--rounds 11] [--out benchmarks/results/table.json]
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import pkgutil
import platform
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import kernels
import torch
from limit import SIDE, Case, Limit, copying, multiplying, timed

from mainstem import ops


def compare(case: Case, rounds: int) -> dict[str, Any]:
    """Return median times in seconds, and the ratio ours / theirs with its spread; turns begin with either side.

    `limit`: by which of the machine's limits ours is bound, its seconds, and the ratio ours / limit with its spread.
    """
    calls = {"ours": case.ours, "theirs": case.theirs}
    for call in calls.values():
        call()
    # As many calls a turn as make some 20 ms: shorter ones measure the clock and the scheduler.
    repeat = max(1, int(0.02 / max(min(map(timed, calls.values())), 1e-7)))
    limit, turns = Limit(case), []
    for number in range(rounds):
        turn = {}
        for name in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            turn[name] = timed(lambda call=calls[name]: [call() for _ in range(repeat)]) / repeat
        turns.append(turn | limit.measure())
    median = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    found: dict[str, Any] = {name: median.pop(name) for name in calls} | _ratio(turns, "theirs")
    if median:
        by = max(median, key=lambda name: median[name])
        found["limit"] = {"by": by, "seconds": median[by], **_ratio(turns, by)}
    return found


def _ratio(turns: list[dict[str, float]], other: str) -> dict[str, float]:
    ratios = [turn["ours"] / turn[other] for turn in turns]
    low, _, high = statistics.quantiles(ratios, n=4)
    return {"ratio": statistics.median(ratios), "spread": (high - low) / 2}


def keep_memory() -> bool:
    """Have glibc keep what is freed, up to 1 GB; return whether it was asked. Arrays beyond 32 MB stay fresh."""
    trim_threshold, mmap_threshold = -1, -3
    try:
        option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(option(trim_threshold, 1 << 30) and option(mmap_threshold, 1 << 25))


def limits() -> dict[str, float]:
    """Return the bandwidth of a copy of 134 MB in GB/s (read and written) and rates of a float32 product in GFLOP/s.

    The product is that of `torch.mm`, and that of the kernels, which is oneDNN's where it is faster.
    """
    copy, multiply = copying(1 << 27), multiplying(torch.float32)
    x, y = torch.randn(2, SIDE, SIDE).unbind()
    seconds = [min(timed(call) for _ in range(7)) for call in (copy, lambda: torch.mm(x, y), multiply)]
    return {
        "copy_gb_s": (1 << 27) / seconds[0] / 1e9,
        "sgemm_gflop_s": 2 * SIDE**3 / seconds[1] / 1e9,
        "product_gflop_s": 2 * SIDE**3 / seconds[2] / 1e9,
    }


def machine() -> dict[str, Any]:
    here = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False).stdout
    return {
        "command": " ".join(["python", *sys.argv]),
        "commit": commit.strip(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "kernels": ops.info()["variant"],
    }


def show(rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    """Print a row, in two or three lines of at most 80 columns, and keep it."""
    if not rows or rows[-1]["what"] != row["what"]:
        print(row["what"])
    times = "".join(f"{row[side] * 1e3:9.2f}" if side in row else " " * 9 for side in ("ours", "theirs"))
    spread, bound = (f"±{row['spread']:.3f}" if "spread" in row else ""), row.get("limit")
    limit = f"{bound['ratio']:6.2f} {bound['by']}" if bound else ""
    against = textwrap.wrap(row["against"], 36)
    print(f"  {against[0]:36} {times}   {row['ratio']:.3f} {spread:6}{limit}".rstrip())
    for more in (*against[1:], row["target"] and f"  target: {row['target']}"):
        if more:
            print(f"  {more}")
    sys.stdout.flush()
    rows.append(row)


def main() -> None:
    parser = argparse.ArgumentParser(description="Each kernel against what PyTorch has, as ratios.")
    parser.add_argument("--only", default="", help="only groups whose name contains this")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", type=Path, help="write the table as JSON too")
    options = parser.parse_args()
    found = {"machine": machine() | {"memory_kept": keep_memory()}, "limits": limits(), "rows": []}
    print("  ".join(f"{name} {value:.0f}" for name, value in found["limits"].items()))
    print(f"{'against':39} {'ours':>8} {'theirs':>8}   ours/theirs  x limit")
    for module in sorted(module.name for module in pkgutil.iter_modules(kernels.__path__)):
        if options.only not in module:
            continue
        group = importlib.import_module(f"kernels.{module}")
        for case in group.cases():
            named = {"what": case.what, "against": case.against, "target": case.target}
            show(found["rows"], named | compare(case, options.rounds))
        for what, against, target, ratio in getattr(group, "memory", list)():
            show(found["rows"], {"what": what, "against": against, "target": target, "ratio": ratio})
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
