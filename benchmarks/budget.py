"""What a budget of wall time is spent on: the share of each phase, from whole runs of `mainstem train`.

    python benchmarks/budget.py --budget 40s 2m 10m [TEXT ...] [--copies 4] [--busy] [--times 5]

A run is to end between 0.9 times its budget and 1.03 times and 2 s, and with `--busy`, where a second process takes a
core from halfway on, at 1.08 times; a last line counts the runs that did.

Without TEXT the text is Python's standard library, as it is for `mainstem train`. `--copies 4` trains on as many copies
of it in one file, each with its lines in another order, so that the text is larger and no copy is left out as a twin.
With `--run FOLDER` nothing is trained, and the phases of that run are printed. Phases are those of metrics.jsonl; what
lies outside all of them is reading, timing, samples and the page. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mainstem import config
from mainstem.data.sources import find
from mainstem.train.length import seconds

STEPS = ("data", "forward", "backward", "update")


def spent(run: Path) -> dict[str, float]:
    """Return the seconds of every phase of a run, steps together."""
    found: dict[str, float] = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        for name, took in json.loads(line)["phases"].items():
            name = "steps" if name in STEPS else name
            found[name] = found.get(name, 0.0) + took
    return found


def copied(paths: list[str], copies: int, folder: Path) -> list[str]:
    """Return a file with `copies` of the text, the lines of each in an order of its own; the text itself for one."""
    if copies == 1:
        return paths
    lines: list[bytes] = []
    for path in find(config.Data(paths=paths)).paths:
        lines += Path(path).read_bytes().splitlines(keepends=True)
    target = folder / "copies.txt"
    with target.open("wb") as stream:
        for number in range(copies):
            random.Random(number).shuffle(lines)
            stream.writelines(lines)
    return [str(target)]


def trained(paths: list[str], budget: str, folder: Path, busy: bool) -> tuple[Path, float]:
    """Train in a process of its own; return the run's folder and the seconds from start to exit."""
    out = folder / "run"
    command = [sys.executable, "-m", "mainstem", "train", *paths, "--train.budget", budget, "--out", str(out)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        other = None
        try:
            if busy:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(seconds(budget) / 2)
                other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            if run.wait():
                raise SystemExit(f"the run ended with {run.returncode}")
        finally:
            if other is not None:
                other.kill()
                other.wait()
    return out, time.perf_counter() - began


def kept(wall: float, budget: float, busy: bool) -> bool:
    """Return whether a run that took `wall` seconds kept its budget."""
    return 0.9 * budget <= wall <= (1.08 * budget if busy else 1.03 * budget + 2)


def table(run: Path, wall: float | None, budget: str | None) -> list[str]:
    """Return lines with the seconds and the share of every phase, and how near the budget was met."""
    phases, facts = spent(run), json.loads((run / "facts.json").read_text())
    length = budget or (facts["length"]["asked"].get("budget"))
    whole = seconds(length) if length else sum(phases.values())
    if wall is not None:
        phases["outside"] = wall - sum(phases.values())
    lines = [f"{name:<9} {took:8.1f} s  {took / whole:6.1%}" for name, took in phases.items()]
    if wall is not None:
        lines.append(f"{'together':<9} {wall:8.1f} s  {wall / whole:6.1%} of {length}")
    outcome: dict[str, Any] = facts["outcome"]
    best = outcome["best"]
    error = "" if best["error"] is None else f" ± {best['error']:.4f}"
    gap = best["gap"] or dict.fromkeys(("value", "low", "high"), float("nan"))
    lines.append(
        f"{facts['length']['steps']} steps, {facts['corpus']['bytes'] / 1e6:.1f} MB, held out "
        f"{facts['corpus']['held_out_bytes'] / 1e6:.2f} MB, loss {best['nats_per_token']:.4f}{error}, gap "
        f"{gap['value']:.4f} ({gap['low']:.4f} to {gap['high']:.4f})"
    )
    return lines


def main() -> None:
    """Train, and print where the time went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="*")
    parser.add_argument("--budget", nargs="+", default=["150s"])
    parser.add_argument("--busy", action="store_true", help="another process takes a core from halfway on")
    parser.add_argument("--times", type=int, default=1, help="runs of each budget")
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--run", type=Path)
    given = parser.parse_args()
    if given.run is not None:
        print("\n".join(table(given.run, None, None)))
        return
    good = 0
    for number, budget in enumerate(given.times * given.budget):
        with tempfile.TemporaryDirectory() as folder:
            paths = copied(given.text, given.copies, Path(folder))
            run, wall = trained(paths, budget, Path(folder), given.busy)
            print("\n".join(table(run, wall, budget)), flush=True)
            good += kept(wall, seconds(budget), given.busy)
            print(f"{good} of {number + 1} runs kept their budget\n", flush=True)


if __name__ == "__main__":
    main()
