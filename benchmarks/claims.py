"""Runs the laboratory's published claims again, longer than `mainstem lab --all` does, and publishes each as it comes.

    python benchmarks/claims.py [NAME ...] [--seeds 8]
    python benchmarks/claims.py --gather

Each experiment is one `mainstem lab` with the flags of `ARMS`; its JSON goes to docs/results/lab when it has ended.
What was trained stands in benchmarks/results/claims.csv, by the laboratory's key of a trial, and is not trained again;
after a stop that nothing could answer, `--gather` puts what was trained until then there. The text is Python's
standard library, 11 MB, of which a training reads as much as its steps take: 600 steps of 16 x 32 are 0.3 MB, so what
is not about repetition and is to have read 1 MB takes 2,000 steps. What is about repetition reads 100 KB as often as
the experiment reads its own text: 12.5 times in `layernorm`, 25 times in the others.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK, PUBLISHED = ROOT / "build" / "claims", ROOT / "docs" / "results" / "lab"
ROWS = ROOT / "benchmarks" / "results" / "claims.csv"

OFTEN = ["--repeated", "102400", "--model.width", "128", "--model.heads", "4", "--optim.lr", "3e-3"]
"""A text that a reader believes, and a network that learns it by heart: chosen by trials with seed 100, in which two
blocks of width 64 gained nothing by dropout after 25 passes over 131 kB, and two of width 128 did."""

ARMS: dict[str, list[str]] = {
    "vanishing": ["--train.steps", "2000", "--optim.lr", "3e-3"],
    "exploding": [],
    "depth": ["--train.steps", "2000", "--optim.lr", "3e-3"],
    "efficiency": ["--train.steps", "2000"],
    "depth-used": ["--train.steps", "2000"],
    "deviation": ["--train.steps", "2000"],
    "scale": ["--train.steps", "1000"],
    "layernorm": ["--repeated", "102400"],
    "l1": OFTEN,
    "l2": OFTEN,
    "dropout": OFTEN,
    "sites": OFTEN,
    "both": OFTEN,
}
"""Flags of each experiment, those on residual connections first."""


def command(name: str, seeds: int) -> list[str]:
    """Return the command line of an experiment.

    Example:
        >>> " ".join(command("depth", 4)[2:])
        'mainstem lab depth --seeds 4 --train.steps 2000 --optim.lr 3e-3 --out build/claims'
    """
    words = ["mainstem", "lab", name, "--seeds", str(seeds), *ARMS[name], "--out", str(WORK.relative_to(ROOT))]
    return [sys.executable, "-m", *words]


def lay_out() -> None:
    """Put the trials of `ROWS` where the laboratory looks for them."""
    (WORK / "trials").mkdir(parents=True, exist_ok=True)
    if ROWS.exists():
        with ROWS.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                (WORK / "trials" / f"{row['key']}.json").write_text(row["trial"], encoding="utf-8")


def gather() -> None:
    """Append the laboratory's trials that `ROWS` does not have yet."""
    known = set()
    if there := ROWS.exists():
        with ROWS.open(newline="", encoding="utf-8") as stream:
            known = {row["key"] for row in csv.DictReader(stream)}
    with ROWS.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if not there:
            writer.writerow(("key", "trial"))
        for path in sorted((WORK / "trials").glob("*.json")):
            if path.stem not in known:
                writer.writerow((path.stem, path.read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[], help="experiments; all of them by default")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--gather", action="store_true", help="train nothing")
    given = parser.parse_args()
    if given.gather:
        gather()
        return
    lay_out()
    for name in given.names or ARMS:
        try:
            subprocess.run(command(name, given.seeds), cwd=ROOT, check=True)
        finally:
            gather()
        shutil.copyfile(WORK / f"{name}.json", PUBLISHED / f"{name}.json")
        print(f"published {name}", flush=True)


if __name__ == "__main__":
    main()
