"""What a training step costs by its shape, and the formula that is fitted to it.

    python benchmarks/cost.py [--rounds 15] [--threads 2]
    python benchmarks/cost.py --fit

A step is the whole of it, `Learner.step` of the recipe `default` on random tokens: batch, forward, backward, update.
The shapes take turns, a few steps each, so that whatever else the machine does meets all of them; a row has the least
of its turns, which met the least of that. The formula is a sum of what grows with each part of the work, fitted in
relative error with no negative weight. `--fit` prints it beside the rows, with the error of each. Shapes: L layers, D
width, V vocabulary, T context, N tokens a step.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).parent / "results" / "cost.csv"


class Shape(NamedTuple):
    """What decides the cost of a step."""

    layers: int
    width: int
    vocabulary: int
    context: int
    tokens: int

    @property
    def heads(self) -> int:
        """Heads of 32 numbers up to a width of 256, as `nano` and `micro` have, and of 64 above, as `small` has."""
        return self.width // (32 if self.width <= 256 else 64)


class Row(NamedTuple):
    """Seconds of a step of a shape; `also` is a flag beyond it, such as ``noise.rate=0.1``."""

    shape: Shape
    seconds: float
    also: str = ""


PARTS: dict[str, Callable[[Shape], float]] = {
    "a step": lambda s: 1,
    "layer": lambda s: s.layers,
    "layer, token and width": lambda s: s.layers * s.tokens * s.width,
    "layer, token and width squared": lambda s: s.layers * s.tokens * s.width**2,
    "layer, token, width and context": lambda s: s.layers * s.tokens * s.width * s.context,
    "token, width and vocabulary": lambda s: s.tokens * s.width * s.vocabulary,
    "token and vocabulary": lambda s: s.tokens * s.vocabulary,
    "layer and width cubed": lambda s: s.layers * s.width**3,
}
"""What a step does: its own calls and those of a layer, passes over activations, products, attention, the head's
products and its softmax, and Muon's products of matrices with themselves."""

SHAPES = (
    *(Shape(4, width, 1024, 128, 2048) for width in (128, 192, 256, 384, 512)),
    *(Shape(layers, 128, 1024, 128, 2048) for layers in (2, 8, 12)),
    *(Shape(4, 128, vocabulary, 128, 2048) for vocabulary in (128, 4096)),
    *(Shape(4, 128, 1024, context, 2048) for context in (64, 256)),
    *(Shape(4, 128, 1024, 128, tokens) for tokens in (1024, 4096)),
    Shape(2, 192, 4096, 128, 2048),
    Shape(2, 256, 1024, 64, 1024),
    Shape(6, 192, 1024, 128, 2048),
    Shape(6, 256, 1024, 128, 2048),
    Shape(6, 256, 4096, 256, 4096),
    Shape(8, 384, 4096, 256, 4096),
    Shape(4, 256, 4096, 128, 2048),
    Shape(12, 192, 128, 256, 4096),
    Shape(6, 512, 1024, 128, 1024),
)

BASE = SHAPES[0]
ALSO = ("noise.rate=0.1", "model.residual=value_residual", "optim.average=0.999")
"""Flags beyond a shape that a step takes longer for, which are measured at the first shape."""


def stepper(shape: Shape, also: str = "") -> Callable[[], None]:
    """Return a function that takes one training step of the recipe `default` at this shape, on random tokens."""
    import itertools
    from types import SimpleNamespace

    import msgspec
    import numpy as np

    from mainstem import config
    from mainstem.data.tokens import Tokens
    from mainstem.train import device
    from mainstem.train.language import Language
    from mainstem.train.learner import Learner
    from mainstem.train.world import ALONE

    run = config.load(
        {
            "model.layers": shape.layers, "model.width": shape.width, "model.heads": shape.heads,
            "model.context": shape.context, "train.batch": shape.tokens // shape.context,
            **dict(flag.split("=") for flag in also.split()),
        },
        recipe="default",
    )  # fmt: skip
    run = device.settle(msgspec.structs.replace(run, data=config.Data()))
    ids = np.random.default_rng(0).integers(0, shape.vocabulary, 1 << 18).astype("<u2")
    text = Tokens(ids, np.zeros(1, np.int64), len(ids), np.ones(shape.vocabulary, np.int64))
    data = SimpleNamespace(train=text, held_out=text, tokenizer=SimpleNamespace(vocab_size=shape.vocabulary))
    learner = Learner.of(run, Language(), data, ALONE, steps=1 << 20)
    numbers = itertools.count(1)

    def step() -> None:
        assert learner.step(next(numbers)).applied

    return step


def measured(rounds: int, threads: int) -> list[Row]:
    """Return the least seconds of a step of each shape, all of which take turns."""
    import torch

    torch.set_num_threads(threads)
    cases = [*((shape, "") for shape in SHAPES), *((BASE, also) for also in ALSO)]
    steps, few = [stepper(*case) for case in cases], []
    for step in steps:
        step()
        few.append(max(1, min(8, int(0.15 / timed(step, 1)))))
    found: list[list[float]] = [[] for _ in cases]
    for number in range(rounds):
        for step, count, seconds in zip(steps, few, found, strict=True):
            seconds.append(timed(step, count))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return [Row(shape, min(seconds), also) for (shape, also), seconds in zip(cases, found, strict=True)]


def timed(step: Callable[[], None], count: int) -> float:
    """Return the seconds of a step, over `count` of them."""
    began = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began) / count


def fitted(rows: list[Row]) -> dict[str, float]:
    """Return the weight of each part, by non-negative least squares of relative errors.

    >>> rows = [Row(shape, 0.01 + 0.002 * shape.layers) for shape in SHAPES]
    >>> {name: round(weight, 6) for name, weight in fitted(rows).items() if weight > 1e-9}
    {'a step': 0.01, 'layer': 0.002}
    """
    import numpy as np
    from scipy.optimize import nnls

    rows = [row for row in rows if not row.also]
    parts = np.array([[part(row.shape) / row.seconds for part in PARTS.values()] for row in rows])
    size = parts.max(axis=0)
    weights, _ = nnls(parts / size, np.ones(len(rows)))
    return {name: float(weight) for name, weight in zip(PARTS, weights / size, strict=True)}


def predicted(shape: Shape, weights: dict[str, float]) -> float:
    """Return the seconds that the formula gives to a step of this shape."""
    return sum(weight * PARTS[name](shape) for name, weight in weights.items())


def seconds_of(shape: Shape, also: Iterable[str] = ()) -> float:
    """Return the seconds of a step on the machine that the committed rows are of, with flags beyond the shape."""
    rows = read(OUT)
    return predicted(shape, fitted(rows)) * math.prod(factor(rows, flag) for flag in also)


def factor(rows: list[Row], flag: str) -> float:
    """Return how many times as long a step takes with a flag; 1 where no row has one of that name.

    A rate counts where it is not 0, whatever it is; a residual form is known by its name alone. The members of an
    ensemble take a step each: processor time of 2 and 4 of them was 1.98 to 1.99 and 3.94 to 4.06 times that of one.

    >>> factor([Row(BASE, 0.04)], "model.members=4")
    4.0
    >>> rows = [Row(BASE, 0.04), Row(BASE, 0.05, "noise.rate=0.1")]
    >>> [factor(rows, flag) for flag in ("noise.rate=0.2", "noise.rate=0", "optim.decay=1", "data.tokenizer=char")]
    [1.25, 1.0, 1.0, 1.0]
    """
    name, _, value = flag.partition("=")
    if name == "model.members":
        return float(value)
    base = next(row.seconds for row in rows if row.shape == BASE and not row.also)
    for row in rows:
        known, _, level = row.also.partition("=")
        if row.also and known == name and (value == level or (name != "model.residual" and float(value) > 0)):
            return row.seconds / base
    return 1.0


def read(path: Path) -> list[Row]:
    """Return the rows of a table."""
    with path.open(newline="") as file:
        return [
            Row(Shape(*(int(row[name]) for name in Shape._fields)), float(row["ms"]) / 1e3, row["also"])
            for row in csv.DictReader(file)
        ]


def write(path: Path, rows: list[Row], threads: int) -> None:
    """Write a table anew: rows that are compared with each other are of one run."""
    import torch

    from mainstem.train.device import bfloat16_is_faster

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    about = {
        "threads": threads, "dtype": "bfloat16" if bfloat16_is_faster() else "float32", "commit": commit,
        "machine": f"{platform.machine()} {os.cpu_count()} cores", "torch": torch.__version__,
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M"),
    }  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*Shape._fields, "also", "ms", *about], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({**row.shape._asdict(), "also": row.also, "ms": round(row.seconds * 1e3, 2), **about})


def table(rows: list[Row]) -> str:
    """Return the rows beside the formula, and its weights, in Markdown."""
    weights = fitted(rows)
    lines = ["| L x D | V | T | N | also | ms | formula | formula / measured |", "|---|---|---|---|---|---|---|---|"]
    for shape, seconds, also in rows:
        guess = predicted(shape, weights) * (factor(rows, also) if also else 1)
        cells = (f"{shape.layers} x {shape.width}", f"{shape.vocabulary:,}", shape.context, f"{shape.tokens:,}", also,
                 f"{seconds * 1e3:.1f}", f"{guess * 1e3:.1f}", f"{guess / seconds:.2f}")  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "| for each | nanoseconds |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {weight * 1e9:.4g} |" for name, weight in weights.items())])


def main() -> None:
    """Measure the table, or print the one that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    if not given.fit:
        as_a_run()
        write(given.out, measured(given.rounds, given.threads), given.threads)
    print(table(read(given.out)))


def as_a_run() -> None:
    """Have threads wait as they do in `mainstem train`; torch reads it once, when it is loaded."""
    from mainstem.cli.threads import wait_politely

    wait_politely()


if __name__ == "__main__":
    main()
