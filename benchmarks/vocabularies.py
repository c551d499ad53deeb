"""Which vocabulary a text of a given size deserves: bits per byte by vocabulary, at equal time, over paired seeds.

    python benchmarks/vocabularies.py TEXT ... --seeds 0 1 2 3 --vocabularies 0 512 1024 2048 4096 8192 --seconds 51

Without a TEXT it takes Python's standard library. Vocabulary 0 stands for characters, with bytes for what is unseen.
Each arm is one training with the recipe `default`, whose number of steps is what its step costs: `--seconds` divided by
``0.05 + 6.25e-6 V`` seconds, the time of a step of 16 x 128 tokens at a vocabulary of V on two cores (bfloat16). So the
losses do not depend on what else the machine does meanwhile, and can be swept beside other work. The best held-out pass
counts, as in a run, and no run ends early.

Rows are appended to the CSV as they are made, keyed by a hash of what they are of; a second run of the same command
skips what is there. `--table` prints means over seeds and paired differences instead.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FIELDS = (
    "key", "text", "bytes", "sha256", "vocabulary", "seed", "seconds", "steps", "train_tokens", "passes",
    "bits_per_byte", "best_step", "last_bits_per_byte", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "tokenizers.csv"
PASSES = 10
"""Held-out passes in a run: enough that the best of them is near the best of the curve."""


def steps_of(vocabulary: int, seconds: float) -> int:
    """Return how many steps `seconds` buy at this vocabulary; characters cost what a vocabulary of 128 does."""
    return round(seconds / (0.05 + 6.25e-6 * (vocabulary or 128)))


def flags(vocabulary: int, seed: int, seconds: float) -> list[str]:
    """Return the flags of one arm."""
    steps = steps_of(vocabulary, seconds)
    chosen = ["--data.tokenizer", "bpe", "--data.vocabulary", str(vocabulary)]
    return [
        *(chosen if vocabulary else ["--data.tokenizer", "char"]), "--seed", str(seed), "--train.steps", str(steps),
        "--evaluate.every", str(-(-steps // PASSES)), "--train.patience", "0", "--save.every", str(steps),
        "--machine.threads", "1",
    ]  # fmt: skip


def trained(text: str | None, words: list[str]) -> dict[str, object]:
    """Return what a run with these flags came to; it is a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "mainstem", "train", *([text] if text else []), *words, "--out", str(out)]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        facts = json.loads((out / "facts.json").read_text())
        outcome, tokens = facts["outcome"], facts["corpus"]["train_tokens"]
        steps = facts["length"]["steps"]
        return {
            "steps": steps, "train_tokens": tokens, "passes": round(steps * 16 * 128 / tokens, 3),
            "bits_per_byte": outcome["best"]["bits_per_byte"], "best_step": outcome["best_step"],
            "last_bits_per_byte": outcome["last"]["bits_per_byte"], "wall": round(time.perf_counter() - began, 1),
            "torch": facts["versions"]["torch"],
        }  # fmt: skip


def digest(text: str | None) -> tuple[int, str]:
    """Return the size and the hash of a text; of the standard library, its version stands for both."""
    if text is None:
        return 0, f"stdlib-{platform.python_version()}"
    data = Path(text).read_bytes()
    return len(data), hashlib.sha256(data).hexdigest()[:16]


def sweep(given: argparse.Namespace) -> None:
    given.out.parent.mkdir(parents=True, exist_ok=True)
    there = {row["key"] for row in rows(given.out)}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    ends = time.monotonic() + 60 * given.minutes
    for seed in given.seeds:
        for text in given.texts or [None]:
            size, sha = digest(text)
            for vocabulary in given.vocabularies:
                key, words = key_of(sha, vocabulary, seed, given.seconds), flags(vocabulary, seed, given.seconds)
                if key in there or time.monotonic() > ends:
                    continue
                row = {
                    "key": key, "text": Path(text).stem if text else "stdlib", "bytes": size, "sha256": sha,
                    "vocabulary": vocabulary, "seed": seed, "seconds": given.seconds, "commit": commit,
                    "machine": f"{platform.machine()} {os.cpu_count()} cores", **trained(text, words),
                }  # fmt: skip
                fresh = not given.out.exists()
                with given.out.open("a", newline="") as file:
                    writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                    if fresh:
                        writer.writeheader()
                    writer.writerow(row)
                print(json.dumps(row), flush=True)


def key_of(sha: str, vocabulary: int, seed: int, seconds: float) -> str:
    """Return what a row is found by: what it is of, not how its flags are spelled, which changes."""
    return hashlib.sha256(json.dumps([sha, vocabulary, seed, seconds]).encode()).hexdigest()[:16]


def rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def table(path: Path) -> None:
    """Print means over seeds, and the paired difference to characters with its 95% interval."""
    from scipy.stats import t

    found = rows(path)
    cells: dict[tuple[str, str, int], dict[int, dict[str, str]]] = {}
    for row in found:
        cells.setdefault((row["text"], row["seconds"], int(row["vocabulary"])), {})[int(row["seed"])] = row
    print("| text | seconds | vocabulary | seeds | passes | bits per byte | minus characters | 95% interval |")
    print("|---|---|---|---|---|---|---|---|")
    for (text, seconds, vocabulary), by_seed in sorted(cells.items(), key=lambda item: item[0]):
        values = [float(row["bits_per_byte"]) for row in by_seed.values()]
        characters = cells.get((text, seconds, 0), {})
        pairs = [
            float(row["bits_per_byte"]) - float(characters[seed]["bits_per_byte"])
            for seed, row in by_seed.items()
            if seed in characters
        ]
        said = ["", ""]
        if vocabulary and len(pairs) > 1:
            mean, half = statistics.mean(pairs), statistics.stdev(pairs) / math.sqrt(len(pairs))
            half *= float(t.ppf(0.975, len(pairs) - 1))
            said = [f"{mean:+.3f}", f"{mean - half:+.3f} to {mean + half:+.3f}"]
        passes = statistics.mean(float(row["passes"]) for row in by_seed.values())
        name = str(vocabulary) if vocabulary else "characters"
        cell = [text, seconds, name, str(len(values)), f"{passes:.1f}", f"{statistics.mean(values):.3f}", *said]
        print(f"| {' | '.join(cell)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[0, 512, 1024, 2048, 4096, 8192])
    parser.add_argument("--seconds", type=float, default=51.0, help="of steps: 0.85 of a budget of a minute")
    parser.add_argument("--minutes", type=float, default=150.0, help="begin nothing new after this long")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        table(given.out)
    else:
        sweep(given)


if __name__ == "__main__":
    main()
