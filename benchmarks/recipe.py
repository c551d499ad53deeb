"""Which recipe pays: bits per byte by width, depth, batch, rates and regularization, at equal time, over paired seeds.

    python benchmarks/recipe.py benchmarks/recipe.txt --texts FOLDER [--minutes 150]
    python benchmarks/recipe.py --table
    python benchmarks/recipe.py --fit

A line of the file is an arm, in the order in which they are run: a text (`FOLDER/TEXT.txt`, or `stdlib` for Python's
standard library), seconds, seeds, a shape and flags over the recipe `default`, as `kjv 51 0,1 6x192 optim.decay=0.4`.
The file is read again before each training, so it may grow meanwhile. An arm is one training, whose number of steps is
its seconds divided by what its step costs on two idle cores, as `cost.py` has fitted it. So the losses do not depend on
what else the machine does meanwhile. No run ends early, and the best of ten held-out passes counts.

Rows are appended to the CSV as they are made, keyed by a hash of what they are of; a second run of the same command
skips what is there. `--table` prints means over seeds and paired differences to 4 x 128 instead, `--fit` a power law of
size and tokens through the arms that are a shape alone.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cost
import trainings

FIELDS = (
    "key", "text", "bytes", "sha256", "seconds", "arm", "seed", "parameters", "vocabulary", "ms", "steps",
    "train_tokens", "passes", "bits_per_byte", "best_step", "last_bits_per_byte", "train_bits_per_byte", "commit",
    "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "recipe.csv"
BASE = "4x128"
CONTEXT, BATCH = 128, 16
"""Of the recipe `default`."""


class Arm(NamedTuple):
    """One training: `name` is its shape and its flags in the order of the alphabet."""

    text: str
    seconds: float
    seed: int
    name: str

    @property
    def flags(self) -> dict[str, str]:
        """The flags of the configuration over the recipe `default`, by dotted name."""
        shape, *rest = self.name.split()
        layers, width = shape.split("x")
        heads = cost.Shape(int(layers), int(width), 0, 0, 0).heads
        model = {"model.layers": layers, "model.width": width, "model.heads": str(heads)}
        return {**model, **dict(flag.split("=", 1) for flag in rest)}


def arms(lines: str) -> Iterator[Arm]:
    """Yield the arms of a file; what stands behind # is left out.

    >>> list(arms("kjv 51 0,1 2x64 train.batch=8 optim.lr=1  # both"))[1]
    Arm(text='kjv', seconds=51.0, seed=1, name='2x64 optim.lr=1 train.batch=8')
    """
    for line in lines.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        text, seconds, seeds, shape, *flags = words
        if not re.fullmatch(r"\d+x\d+", shape) or not all("=" in flag for flag in flags):
            raise SystemExit(f"{line!r} is no arm: write it as TEXT SECONDS SEED,SEED 4x128 name=value ...")
        for seed in seeds.split(","):
            yield Arm(text, float(seconds), int(seed), " ".join([shape, *sorted(flags)]))


def steps_of(arm: Arm, vocabulary: int) -> tuple[float, int]:
    """Return the seconds of a step of an arm on two idle cores, and how many steps its seconds buy."""
    flags = arm.flags
    context, batch = int(flags.get("model.context", CONTEXT)), int(flags.get("train.batch", BATCH))
    shape = cost.Shape(
        int(flags["model.layers"]), int(flags["model.width"]), vocabulary, context, context * batch
    )  # fmt: skip
    step = cost.seconds_of(shape, [f"{name}={value}" for name, value in flags.items()])
    return step, max(1, round(arm.seconds / step))


def vocabulary_of(arm: Arm, path: str | None) -> int:
    """Return how many tokens the vocabulary of an arm has, which its run will find in the cache."""
    from mainstem import config, data
    from mainstem.runs.cache import cache_folder
    from mainstem.runs.run_folder import RunFolder

    given = {name: value for name, value in arm.flags.items() if name.startswith("data.")}
    section = config.load({**given, "data.paths": [path] if path else []}, recipe="default").data
    with tempfile.TemporaryDirectory() as folder:
        return data.prepare(section, cache_folder(RunFolder(Path(folder)))).tokenizer.vocab_size


def sweep(given: argparse.Namespace) -> None:
    """Run the arms of the file that have no row yet, one after the other."""
    ends = time.monotonic() + 60 * given.minutes
    while time.monotonic() < ends:
        there = {row["key"] for row in trainings.read(given.out)}
        for arm in arms(given.file.read_text()):
            path = None if arm.text == "stdlib" else str(given.texts / f"{arm.text}.txt")
            size, sha = trainings.digest(path)
            key = trainings.key(sha, arm.seconds, arm.seed, arm.name)
            if key not in there:
                break
        else:
            return
        vocabulary = vocabulary_of(arm, path)
        step, steps = steps_of(arm, vocabulary)
        words = [word for name, value in arm.flags.items() for word in (f"--{name.replace('_', '-')}", value)]
        came = trainings.trained(path, [*words, "--seed", str(arm.seed), *trainings.length(steps)])
        row = {
            "key": key, "text": arm.text, "bytes": size, "sha256": sha, "seconds": arm.seconds, "arm": arm.name,
            "seed": arm.seed, "vocabulary": vocabulary, "ms": round(step * 1e3, 2), **trainings.about(), **came,
        }  # fmt: skip
        trainings.append(given.out, FIELDS, row)


def table(path: Path) -> str:
    """Return means over seeds, and the paired difference to 4 x 128 of the same text and time, in Markdown.

    An arm with flags beyond its shape is also compared with its shape alone.
    """
    cells: dict[tuple[str, float], dict[str, dict[int, dict[str, str]]]] = {}
    for row in trainings.read(path):
        group = cells.setdefault((row["text"], float(row["seconds"])), {})
        group.setdefault(row["arm"], {})[int(row["seed"])] = row
    heads = ("text", "seconds", "arm", "seeds", "ms a step", "passes", "bits per byte", "train", f"minus {BASE}",
             "95% interval", "minus its shape", "95% interval")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for (text, seconds), group in sorted(cells.items()):
        found = {name: bits(by_seed) for name, by_seed in group.items()}
        for name, by_seed in sorted(group.items(), key=lambda item: statistics.mean(found[item[0]].values())):
            shape = name.split()[0]
            beside = trainings.paired(found[name], found.get(BASE, {})) if name != BASE else ("", "")
            own = trainings.paired(found[name], found.get(shape, {})) if name != shape else ("", "")
            some = {what: statistics.mean(float(row[what]) for row in by_seed.values())
                    for what in ("passes", "train_bits_per_byte", "ms")}  # fmt: skip
            row = (text, f"{seconds:g}", name, len(by_seed), f"{some['ms']:.0f}", f"{some['passes']:.1f}",
                   f"{statistics.mean(found[name].values()):.3f}", f"{some['train_bits_per_byte']:.3f}",
                   *beside, *own)  # fmt: skip
            lines.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def bits(by_seed: dict[int, dict[str, str]]) -> dict[int, float]:
    """Return the bits per byte of each seed."""
    return {seed: float(row["bits_per_byte"]) for seed, row in by_seed.items()}


class Fit(NamedTuple):
    """bits per byte = scale N^-size n^-tokens for N numbers in the layers' matrices and n tokens trained on.

    `off` is the largest relative error.
    """

    scale: float
    size: float
    tokens: float
    off: float


def fitted(rows: Sequence[tuple[float, float, float]]) -> Fit:
    """Return the least squares fit, in logarithms, to rows of size, tokens and bits per byte.

    >>> sizes = ((1e5, 1e6), (2e5, 1e6), (2e5, 3e6), (4e5, 2e6))
    >>> [round(found, 6) for found in fitted([(size, n, 50 * size**-0.1 * n**-0.2) for size, n in sizes])]
    [50.0, 0.1, 0.2, 0.0]
    """
    import numpy as np

    logs = np.log(np.array(rows))
    parts = np.column_stack([np.ones(len(rows)), -logs[:, :2]])
    weights = np.linalg.lstsq(parts, logs[:, 2], rcond=None)[0]
    off = float(np.abs(np.expm1(parts @ weights - logs[:, 2])).max())
    return Fit(float(np.exp(weights[0])), float(weights[1]), float(weights[2]), off)


def fits(path: Path) -> str:
    """Return the fit of each text that has four shapes or more, in Markdown."""
    texts: dict[str, list[tuple[float, float, float]]] = {}
    shapes: dict[str, set[str]] = {}
    for row in trainings.read(path):
        if " " not in row["arm"]:
            layers, width = map(int, row["arm"].split("x"))
            point = 12.0 * layers * width**2, float(int(row["steps"]) * CONTEXT * BATCH), float(row["bits_per_byte"])
            texts.setdefault(row["text"], []).append(point)
            shapes.setdefault(row["text"], set()).add(row["arm"])
    lines = ["| text | rows | exponent of size | exponent of tokens | largest error |", "|---|---|---|---|---|"]
    for text, points in texts.items():
        if len(shapes[text]) >= 4:
            fit = fitted(points)
            lines.append(f"| {text} | {len(points)} | {fit.size:.3f} | {fit.tokens:.3f} | {fit.off:.1%} |")
    return "\n".join(lines)


def main() -> None:
    """Sweep, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_suffix(".txt"))
    parser.add_argument("--texts", type=Path, default=Path(), help="the folder that has the texts")
    parser.add_argument("--minutes", type=float, default=150.0, help="begin nothing new after this long")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    if given.table or given.fit:
        print(table(given.out) if given.table else fits(given.out))
    else:
        sweep(given)


if __name__ == "__main__":
    main()
