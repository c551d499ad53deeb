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
import statistics
import time
from pathlib import Path

import trainings

FIELDS = (
    "key", "text", "bytes", "sha256", "vocabulary", "seed", "seconds", "steps", "train_tokens", "passes",
    "bits_per_byte", "best_step", "last_bits_per_byte", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "tokenizers.csv"


def steps_of(vocabulary: int, seconds: float) -> int:
    """Return how many steps `seconds` buy at this vocabulary; characters cost what a vocabulary of 128 does."""
    return round(seconds / (0.05 + 6.25e-6 * (vocabulary or 128)))


def flags(vocabulary: int, seed: int, seconds: float) -> list[str]:
    """Return the flags of one arm."""
    chosen = ["--data.tokenizer", "bpe", "--data.tokenizer.vocabulary", str(vocabulary)]
    return [
        *(chosen if vocabulary else ["--data.tokenizer", "char"]), "--seed", str(seed),
        *trainings.length(steps_of(vocabulary, seconds)),
    ]  # fmt: skip


def sweep(given: argparse.Namespace) -> None:
    there = {row["key"] for row in trainings.read(given.out)}
    ends = time.monotonic() + 60 * given.minutes
    for seed in given.seeds:
        for text in given.texts or [None]:
            size, sha = trainings.digest(text)
            for vocabulary in given.vocabularies:
                key = trainings.key(sha, vocabulary, seed, given.seconds)
                if key in there or time.monotonic() > ends:
                    continue
                row = {
                    "key": key, "text": Path(text).stem if text else "stdlib", "bytes": size, "sha256": sha,
                    "vocabulary": vocabulary, "seed": seed, "seconds": given.seconds, **trainings.about(),
                    **trainings.trained(text, flags(vocabulary, seed, given.seconds)),
                }  # fmt: skip
                trainings.append(given.out, FIELDS, row)


def table(path: Path) -> None:
    """Print means over seeds, and the paired difference to characters with its 95% interval."""
    cells: dict[tuple[str, str, int], dict[int, dict[str, str]]] = {}
    for row in trainings.read(path):
        cells.setdefault((row["text"], row["seconds"], int(row["vocabulary"])), {})[int(row["seed"])] = row
    print("| text | seconds | vocabulary | seeds | passes | bits per byte | minus characters | 95% interval |")
    print("|---|---|---|---|---|---|---|---|")
    for (text, seconds, vocabulary), by_seed in sorted(cells.items(), key=lambda item: item[0]):
        values, characters = (
            {seed: float(row["bits_per_byte"]) for seed, row in cells.get((text, seconds, number), {}).items()}
            for number in (vocabulary, 0)
        )
        difference, interval = trainings.paired(values, characters) if vocabulary else ("", "")
        said = [difference if interval else "", interval]
        passes = statistics.mean(float(row["passes"]) for row in by_seed.values())
        name = str(vocabulary) if vocabulary else "characters"
        mean = statistics.mean(values.values())
        print(f"| {' | '.join([text, seconds, name, str(len(values)), f'{passes:.1f}', f'{mean:.3f}', *said])} |")


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
