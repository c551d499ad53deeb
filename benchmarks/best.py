"""The best model for the data and the time: `mainstem train --budget` against other models of text.

    python benchmarks/texts.py TEXTS --shakespeare FILE
    python benchmarks/best.py TEXTS/shakespeare.txt TEXTS/kjv.txt ... --budgets 120 600 --seeds 0 1 2 --minutes 150
    python benchmarks/best.py --table

Every side learns from the first nine tenths of a text and is scored on the last one, each character once, whatever its
tokens are. Frozen sides stay as they were trained; adaptive ones go on to learn from each character after it was
scored, which is another quantity, in another table. The networks are given a budget of CPU seconds of their process
and its children, divided by two cores, from the start of the process on, and end by themselves; they keep the weights
of their best held-out pass, and are scored after that. Each run is a process of its own with two threads, the sides in
random order, so the machine must do nothing else: `others` is the share of its time that went to other processes.

Of a side with two settings (`rates`) both are run for the first seed at the shortest budget, and the better one is then
taken for that text. Rows are appended as they are made, and a second run of the same command skips them. No run begins
that would not end within `--minutes`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import trainings
from sides import table, watch
from sides.catalogue import SIDES

from mainstem.cli import threads

HERE = Path(__file__).resolve().parent
OUT = HERE / "results" / "best.csv"
FIELDS = (
    "key", "text", "sha256", "held_bytes", "held_characters", "side", "version", "budget", "seed", "rate", "frozen",
    "adaptive", "tokens", "steps", "passes", "parameters", "gap", "seconds", "wall", "others", "detail", "commit",
    "machine", "date",
)  # fmt: skip
_SCORING = 1.25
"""A run takes so many times its budget, with what is done after that."""


THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "2")
THREADS["GOMP_SPINCOUNT"] = threads.TURNS
"""Of each side. Threads that wait sleep soon, as ours do anyhow, so that no side pays for waiting."""


class Arm(NamedTuple):
    """A side with one of its settings on a text; budget and seed are 0 where the side has none."""

    side: str
    text: Path
    budget: float
    seed: int
    rate: float

    def key(self, sha: str) -> str:
        return trainings.key(self.side, version(self.side), sha, self.budget, self.seed, self.rate)


def version(side: str) -> str:
    """Return what the rows of a side must agree in: of our own, the sources of the package."""
    if not SIDES[side].place.startswith("ours:"):
        return str(SIDES[side].version)
    done = subprocess.run(["git", "rev-parse", "HEAD:src/mainstem"], capture_output=True, text=True, cwd=HERE)
    return f"{SIDES[side].version}-{done.stdout.strip()[:12]}"


def arms(given: argparse.Namespace, rows: list[dict[str, str]]) -> Iterator[Arm]:
    """Yield what is to be run: whole comparisons one after the other, the sides of each in random order.

    `rows` grows meanwhile, and tells which setting of a side is the better one.
    """
    for seed in given.seeds:
        for budget in sorted(given.budgets):
            for text in given.texts:
                drawn = [
                    Arm(side, text, budget * SIDES[side].network, seed * SIDES[side].network, rate)
                    for side in given.sides
                    if SIDES[side].most is None or text.stat().st_size <= SIDES[side].most
                    for rate in settings(side, text, given, (seed, budget), rows)
                ]
                random.Random(f"{seed} {budget} {text.name}").shuffle(drawn)
                yield from drawn


def settings(
    side: str, text: Path, given: argparse.Namespace, where: tuple[int, float], rows: list[dict[str, str]]
) -> tuple[float, ...]:
    """Return the settings of a side to run: all at the first seed and the shortest budget, then the better one."""
    found = SIDES[side].rates
    if where == (given.seeds[0], min(given.budgets)) or not SIDES[side].network:
        return found[: given.rates or None]
    sha, unit = trainings.digest(str(text))[1], "frozen"
    tried = [
        row for row in rows
        if (row["side"], row["sha256"], row["version"]) == (side, sha, version(side))
        and (int(row["seed"]), float(row["budget"])) == (given.seeds[0], min(given.budgets))
    ]  # fmt: skip
    return (float(min(tried, key=lambda row: float(row[unit]))["rate"]),) if tried else found[:1]


def measured(arm: Arm) -> dict[str, Any] | None:
    """Return the row of an arm, run in a process of its own, or None where it cannot be run."""
    command = [
        sys.executable, "-m", "sides", arm.side, str(arm.text.resolve()), "--budget", str(arm.budget), "--seed",
        str(arm.seed), "--rate", str(arm.rate),
    ]  # fmt: skip
    environment = {**os.environ, **THREADS}
    began, machine = time.perf_counter(), watch.Machine()
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"{arm.side} on {arm.text.stem}: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}", flush=True)
        return None
    _, sha = trainings.digest(str(arm.text))
    return {
        "key": arm.key(sha), "text": arm.text.stem, "sha256": sha, "side": arm.side, "version": version(arm.side),
        "budget": arm.budget, "seed": arm.seed, "rate": arm.rate, **json.loads(done.stdout.splitlines()[-1]),
        "wall": round(time.perf_counter() - began, 1), "others": machine.others(), **trainings.about(),
        "date": datetime.date.today().isoformat(),
    }  # fmt: skip


def sweep(given: argparse.Namespace) -> None:
    rows, ends = trainings.read(given.out), time.monotonic() + 60 * given.minutes
    there = {row["key"] for row in rows}
    shas = {text: trainings.digest(str(text))[1] for text in given.texts}
    for arm in arms(given, rows):
        key = arm.key(shas[arm.text])
        if key in there or time.monotonic() + _SCORING * arm.budget > ends:
            continue
        row = measured(arm)
        if row is not None:
            trainings.append(given.out, FIELDS, row)
            there.add(key)
            rows.append({name: "" if row[name] is None else str(row[name]) for name in FIELDS})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*", type=Path)
    parser.add_argument("--budgets", type=float, nargs="+", default=[120.0], help="seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES), metavar="SIDE")
    parser.add_argument("--rates", type=int, default=0, help="try so many settings of a side; 0: all")
    parser.add_argument("--minutes", type=float, default=150.0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="print what the rows come to")
    given = parser.parse_args()
    if missing := [str(text) for text in given.texts if not text.is_file()]:
        parser.error(f"{missing[0]} is no file: make the texts with benchmarks/texts.py")
    if given.table:
        print("\n".join(table.lines(trainings.read(given.out))))
    else:
        sweep(given)


if __name__ == "__main__":
    main()
