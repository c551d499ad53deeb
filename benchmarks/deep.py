"""How deep residual forms of linear cost can be trained, and whether a learning rate holds from one depth to another.

    python benchmarks/deep.py --texts FOLDER [--minutes 150] [--blocks 4,16,64]
    python benchmarks/deep.py --plan --texts FOLDER
    python benchmarks/deep.py --table

Two parts, both at width 32, on bytes of one text, with AdamW and the same number of steps. `depth` trains each form of
`FORMS` with 4 to 1,000 blocks, three seeds, at one learning rate, and counts failures: a run that could not go on, as
its numbers were not finite, and one that is no better than the frequencies of single bytes. A form of which all seeds
failed is not tried deeper. `rate` trains pre-norm and CompleteP with 4, 16 and 64 blocks at each of `RATES`: the goal
is that the best rates at these depths are within a factor of 2.

Rows are appended as they are made, keyed by what they are of; a second run of the command skips what is there. Smaller
depths come first, and all forms of a seed before the next one. `--table` writes `docs/results/depth.md` anew. What is
trained stands in `deep_arms.py`, and what the page says in `deep_page.py`.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import deep_page
import trainings
from deep_arms import BLOCKS, STEPS, TEXT, Arm, arms, hopeless, key

FIELDS = (
    "key", "sha256", "part", "form", "flags", "blocks", "rate", "seed", "steps", "parameters", "bits_per_byte",
    "best_step", "last_bits_per_byte", "unigram", "failed", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "deep.csv"


def unigram(path: Path) -> float:
    """Return the bits per byte of the held-out part by the frequencies of bytes in the training part."""
    import numpy as np

    from mainstem import config, data
    from mainstem.runs.cache import cache_folder
    from mainstem.runs.run_folder import RunFolder

    section = config.load({"data.paths": [str(path)], "data.tokenizer": "byte"}, recipe="default").data
    with tempfile.TemporaryDirectory() as folder:
        corpus = data.prepare(section, cache_folder(RunFolder(Path(folder))))
    counts = np.bincount(corpus.train.ids, minlength=corpus.tokenizer.vocab_size) + 1.0
    return float(-np.log2(counts / counts.sum())[corpus.held_out.ids].sum() / corpus.held_out.num_bytes)


def trials(path: Path, out: Path, depths: Sequence[int]) -> Iterator[tuple[Arm, trainings.Trial]]:
    """Yield each arm that is not hopeless by then, and the row that it is to give."""
    sha, single = trainings.digest(str(path))[1], round(unigram(path), 4)
    for arm in arms(depths):
        if hopeless(trainings.read(out), arm):
            continue
        known = {**arm._asdict(), "sha256": sha, "flags": arm.flags, "unigram": single, "steps": STEPS}
        words = [*trainings.words(arm.flags), "--seed", str(arm.seed), *trainings.length(STEPS)]
        yield arm, (key(arm, sha), known, functools.partial(trained, str(path), words, single))


def trained(path: str, words: Sequence[str], single: float) -> dict[str, object]:
    """Return what a run came to; `failed` says where that is no more than what frequencies of bytes know."""
    came = trainings.trained(path, words)
    bits = float(str(came["bits_per_byte"]))
    return came | ({} if bits < single else {"failed": f"{bits:.3f} bits per byte, and frequencies alone {single:.3f}"})


def planned(path: Path, out: Path, depths: Sequence[int]) -> str:
    """Return how many arms of each depth are left, and how long those take whose like has been trained, in Markdown."""
    rows = [row for row in trainings.read(out) if row["wall"]]
    there, left = {row["key"] for row in trainings.read(out)}, {blocks: [0, 0.0, 0] for blocks in depths}
    for arm, (found, *_) in trials(path, out, depths):
        if found not in there:
            walls = [float(row["wall"]) for row in rows if (row["form"], row["blocks"]) == (arm.form, str(arm.blocks))]
            count, seconds, unknown = left[arm.blocks]
            left[arm.blocks] = [count + 1, seconds + (statistics.mean(walls) if walls else 0.0), unknown + (not walls)]
    lines = ["| blocks | arms left | minutes | arms of unknown time |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {blocks:,} | {n} | {t / 60:.0f} | {u} |" for blocks, (n, t, u) in left.items())])


def main() -> None:
    """Sweep, say what is left, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=Path(), help="the folder that has the text")
    parser.add_argument("--blocks", default=",".join(map(str, BLOCKS)), help="depths to train")
    parser.add_argument("--minutes", type=float, default=150.0, help="begin nothing new after this long")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    path, depths = given.texts / f"{TEXT}.txt", [int(blocks) for blocks in given.blocks.split(",")]
    if given.table:
        deep_page.PAGE.write_text(deep_page.page(trainings.read(given.out)), encoding="utf-8")
    elif given.plan:
        print(planned(path, given.out, depths))
    else:
        trainings.sweep(given.out, FIELDS, given.minutes, (trial for _, trial in trials(path, given.out, depths)))


if __name__ == "__main__":
    main()
