"""Each kernel against what PyTorch has, as one table of ratios: `make bench`. Only ratios of one run mean anything.

The two sides take turns, so that a slow moment of the machine meets both; a ratio is the median of the pairs' ratios,
its spread half the distance between their quartiles. The machine's limits (bandwidth of a copy, rate of a matrix
product) are measured in the same run. On Linux the C library is told to keep the memory that either side gives back:
whether it does by itself is luck, and a page that it fetches anew costs as much as the numbers on it.

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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kernels
import torch

from mainstem import ops
from mainstem.ops.product import product


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def compare(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> dict[str, float]:
    """Return median times in seconds, and the ratio ours / theirs with its spread; turns begin with either side."""
    for call in (ours, theirs):
        call()
    # As many calls a turn as make some 20 ms: shorter ones measure the clock and the scheduler.
    repeat = max(1, int(0.02 / max(min(timed(ours), timed(theirs)), 1e-7)))
    pairs = []
    for number in range(rounds):
        turn = {}
        for name in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            call = ours if name == "ours" else theirs
            turn[name] = timed(lambda call=call: [call() for _ in range(repeat)]) / repeat
        pairs.append((turn["ours"], turn["theirs"]))
    ratios = [a / b for a, b in pairs]
    low, _, high = statistics.quantiles(ratios, n=4)
    return {
        "ours": statistics.median(a for a, _ in pairs),
        "theirs": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(ratios),
        "spread": (high - low) / 2,
    }


def keep_memory() -> bool:
    """Have glibc keep what is freed, up to 1 GB; return whether it was asked. Arrays beyond 32 MB stay fresh."""
    trim_threshold, mmap_threshold = -1, -3
    try:
        option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(option(trim_threshold, 1 << 30) and option(mmap_threshold, 1 << 25))


def limits() -> dict[str, float]:
    """Return the bandwidth of a copy in GB/s (read and written) and rates of a float32 product in GFLOP/s.

    The product is that of `torch.mm`, and that of `ops.product`, which is oneDNN's where it is faster.
    """
    a, b = torch.randn(2, 1 << 24).unbind()
    x, y = torch.randn(2, 1024, 1024).unbind()
    copy = min(timed(lambda: b.copy_(a)) for _ in range(7))
    mm, faster = (min(timed(lambda: call(x, y)) for _ in range(7)) for call in (torch.mm, product))  # noqa: B023
    return {
        "copy_gb_s": 2 * a.numel() * 4 / copy / 1e9,
        "sgemm_gflop_s": 2 * 1024**3 / mm / 1e9,
        "product_gflop_s": 2 * 1024**3 / faster / 1e9,
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Each kernel against what PyTorch has, as ratios.")
    parser.add_argument("--only", default="", help="only groups whose name contains this")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", type=Path, help="write the table as JSON too")
    options = parser.parse_args()
    found = {"machine": machine() | {"memory_kept": keep_memory()}, "limits": limits(), "rows": []}
    print("  ".join(f"{name} {value:.0f}" for name, value in found["limits"].items()))
    print(f"{'':58} {'ours':>9} {'theirs':>9}  ours/theirs    target")
    for module in sorted(module.name for module in pkgutil.iter_modules(kernels.__path__)):
        if options.only not in module:
            continue
        group = importlib.import_module(f"kernels.{module}")
        for what, against, target, ours, theirs in group.cases():
            row = {"what": what, "against": against, "target": target, **compare(ours, theirs, options.rounds)}
            found["rows"].append(row)
            print(
                f"{what:58} {row['ours'] * 1e3:7.2f}ms {row['theirs'] * 1e3:7.2f}ms  {row['ratio']:.3f} "
                f"±{row['spread']:.3f}  {target}\n    against {against}",
                flush=True,
            )
        for what, against, target, ratio in getattr(group, "memory", list)():
            found["rows"].append({"what": what, "against": against, "target": target, "ratio": ratio})
            print(f"{what:58} {'':>9} {'':>9}  {ratio:.3f}         {target}\n    against {against}", flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
