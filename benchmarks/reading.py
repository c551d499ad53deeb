"""A first reading of every residual form and regularizer, at one small cell, over paired seeds and at equal steps.

    python benchmarks/reading.py --texts FOLDER --seeds 0,1,2,3 [--minutes 150]
    python benchmarks/reading.py --cost [--rounds 12]
    python benchmarks/reading.py --table

Each arm is the recipe `default` at 4 x 128 with one thing changed. Every residual form of the catalogue is an arm of
the cell `once`, so that a new one is read without a word here; the regularizers stand in `REGULARIZERS`, and are arms
of the cell `often` as well. The arm `placebo` changes nothing but the names that initial weights and masks are drawn
by: what it differs by from the base is what any difference must exceed. All runs of a cell take the same number of
steps, and the best of ten held-out passes counts, of the network alone.

Rows are appended as they are made, keyed by what they are of; a second run of the command skips what is there. `--cost`
measures how many times as long as the base's a step of each arm takes, all arms in turns, and wants an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cost
import trainings

from mainstem import catalogue

FIELDS = (
    "key", "cell", "sha256", "arm", "flags", "seed", "steps", "passes", "parameters", "bits_per_byte", "best_step",
    "last_bits_per_byte", "train_bits_per_byte", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "reading.csv"
COST = Path(__file__).parent / "results" / "reading_cost.csv"
BASE, PLACEBO = "pre_norm", "placebo"
SHAPE = ("--model.layers", "4", "--model.width", "128", "--model.heads", "4", "--model.prior", "none")
TOKENS = 16 * 128
"""Of a step of the recipe `default`."""


class Cell(NamedTuple):
    """A text, of which the first `size` bytes are taken, and how often it is seen."""

    text: str
    size: int
    passes: int


CELLS = {"once": Cell("moby", 1 << 30, 3), "often": Cell("moby", 150_000, 30)}
"""Prose of 1.2 MB seen three times, and an eighth of it seen thirty times."""

REGULARIZERS = {
    "dropout 0.1": "noise.rate=0.1",
    "dropout 0.2": "noise.rate=0.2",
    "dropout of embeddings 0.1": "noise.embedding=0.1",
    "dropout of attention weights 0.1": "noise.attention_weights=0.1",
    "dropout of attention 0.1": "noise.attention=0.1",
    "dropout of hidden units 0.1": "noise.hidden=0.1",
    "dropout of feedforward 0.1": "noise.feedforward=0.1",
    "stochastic depth 0.2": "noise.depth=0.2",
    "drop_head 0.1": "noise.also.0.name=drop_head noise.also.0.rate=0.1",
    "no decay": "optim.decay=0",
    "decay 0.4": "optim.decay=0.4",
    "decay 1.6": "optim.decay=1.6",
    "cautious decay": "optim.decay_kind=cautious",
    "rising decay": "optim.decay_course=rising",
    "falling decay": "optim.decay_course=falling",
    "L1 1e-6": "penalty.0.name=l1 penalty.0.coef=1e-6",
    "L2 1e-4": "penalty.0.name=l2 penalty.0.coef=1e-4",
    "elastic net 1e-5": "penalty.0.name=elastic_net penalty.0.coef=1e-5",
    "L2 to the initial weights 1e-4": "penalty.0.name=l2_sp penalty.0.coef=1e-4",
    "label smoothing 0.1": "loss.label_smoothing=0.1",
    "z-loss 1e-4": "loss.z_loss=1e-4",
    "SAM": "optim.around=sam",
    "ASAM": "optim.around=asam",
    "average 0.99": "optim.average=0.99",
    "SWA of the last fifth": "optim.swa=0.2",
}
"""By what a table calls them; each is the flags over the base."""


class Arm(NamedTuple):
    """One training."""

    cell: str
    name: str
    flags: str
    seed: int


def names(cell: str) -> dict[str, str]:
    """Return the flags of each arm of a cell, in the order in which they are run.

    >>> list(names("often"))[:3]
    ['pre_norm', 'placebo', 'dropout 0.1']
    """
    forms = {name: f"model.residual={name}" for name in catalogue.names("residual") if name != BASE}
    return {BASE: "", PLACEBO: "", **(forms if cell == "once" else {}), **REGULARIZERS}


def arms(seeds: Sequence[int]) -> Iterator[Arm]:
    """Yield the arms of one seed after the other, the cells in turns."""
    for seed in seeds:
        for cell in CELLS:
            yield from (Arm(cell, name, flags, seed) for name, flags in names(cell).items())


def begun_by_other_names() -> None:
    """Run `mainstem` with initial weights and masks that are drawn by other names; the order of the text stays."""
    import sys

    from mainstem import counter
    from mainstem.cli.main import main

    known = counter.site_id

    def site_id(purpose: str, name: str) -> int:
        return known(purpose, name if purpose == "order" else f"placebo.{name}")

    counter.site_id = site_id
    sys.exit(main(sys.argv[2:]))


def text_of(cell: Cell, texts: Path, folder: Path) -> Path:
    """Return the file that a cell is trained on; a part of a text is cut at the end of a line."""
    whole = texts / f"{cell.text}.txt"
    data = whole.read_bytes()
    if len(data) <= cell.size:
        return whole
    part = folder / f"{cell.text}.{cell.size}.txt"
    part.write_bytes(data[: data.rindex(b"\n", 0, cell.size) + 1])
    return part


def steps_of(cell: Cell, path: Path) -> int:
    """Return how many steps see the training part of a text as often as the cell says."""
    from mainstem import config, data
    from mainstem.runs.cache import cache_folder
    from mainstem.runs.run_folder import RunFolder

    section = config.load({"data.paths": [str(path)]}, recipe="default").data
    with tempfile.TemporaryDirectory() as folder:
        return round(cell.passes * len(data.prepare(section, cache_folder(RunFolder(Path(folder)))).train) / TOKENS)


def sweep(given: argparse.Namespace) -> None:
    """Run the arms that have no row yet, one after the other."""
    ends = time.monotonic() + 60 * given.minutes
    there = {row["key"] for row in trainings.read(given.out)}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: text_of(cell, given.texts, Path(folder)) for name, cell in CELLS.items()}
        steps = {name: steps_of(cell, paths[name]) for name, cell in CELLS.items()}
        for arm in arms([int(seed) for seed in given.seeds.split(",")]):
            sha = trainings.digest(str(paths[arm.cell]))[1]
            key = trainings.key(sha, arm.cell, arm.name, arm.flags, arm.seed)
            if key in there:
                continue
            if time.monotonic() > ends:
                return
            parts = [flag.split("=", 1) for flag in arm.flags.split()]
            words = [word for name, value in parts for word in (f"--{name.replace('_', '-')}", value)]
            program = (str(Path(__file__).resolve()), "--placebo") if arm.name == PLACEBO else ("-m", "mainstem")
            came = trainings.trained(
                str(paths[arm.cell]),
                [*SHAPE, *words, "--seed", str(arm.seed), *trainings.length(steps[arm.cell])],
                program=program,
            )
            row = {"key": key, "sha256": sha, "arm": arm.name, **arm._asdict(), **trainings.about(), **came}
            trainings.append(given.out, FIELDS, row)


def measured(rounds: int) -> None:
    """Write how many times as long as a step of the base one of each arm takes, over rounds in which all take turns."""
    import torch
    from measure import interval

    cost.as_a_run()
    torch.set_num_threads(2)
    shape = cost.Shape(4, 128, 1024, 128, TOKENS)
    flags = names("once") | names("often")
    steppers = {name: cost.stepper(shape, each) for name, each in flags.items() if name != PLACEBO}
    for step in steppers.values():
        step()
    ratios: dict[str, list[float]] = {name: [] for name in steppers}
    for _ in range(rounds):
        base = cost.timed(steppers[BASE], 4)
        for name, step in steppers.items():
            ratios[name].append(cost.timed(step, 4) / base)
            base = cost.timed(steppers[BASE], 4) if name != BASE else base
    with COST.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["arm", "ratio", "low", "high", "rounds", *trainings.about()])
        for name, found in ratios.items():
            numbers = (statistics.median(found), *interval(found))
            writer.writerow([name, *(f"{number:.3f}" for number in numbers), rounds, *trainings.about().values()])


def table(path: Path) -> str:
    """Return the arms of each cell, best first, with paired differences to the base, in Markdown."""
    ratios = {row["arm"]: f"{float(row['ratio']):.2f}" for row in trainings.read(COST)}
    lines = []
    for cell in CELLS:
        found: dict[str, dict[int, float]] = {}
        more: dict[str, int] = {}
        for row in trainings.read(path):
            if row["cell"] == cell:
                found.setdefault(row["arm"], {})[int(row["seed"])] = float(row["bits_per_byte"])
                more[row["arm"]] = int(row["parameters"])
        if BASE not in found:
            continue
        lines += ["", f"**{cell}**", ""] if lines else [f"**{cell}**", ""]
        lines += [
            "| arm | seeds | bits per byte | minus the base | 95% interval | step | parameters |",
            "|---|" + "---|" * 6,
        ]
        means = {name: statistics.mean(by_seed.values()) for name, by_seed in found.items()}
        apart = {name: trainings.paired(by_seed, found[BASE]) for name, by_seed in found.items()}
        for name in sorted(found, key=lambda name: (float(apart[name][0] or "inf"), means[name])):
            difference = ("", "") if name == BASE else apart[name]
            cells = (name, len(found[name]), f"{means[name]:.3f}", *difference, ratios.get(name, ""),
                     f"{more[name] / more[BASE]:.3f}")  # fmt: skip
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Sweep, measure what a step costs, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=Path(), help="the folder that has the texts")
    parser.add_argument("--seeds", default="0,1,2,3")
    parser.add_argument("--minutes", type=float, default=150.0, help="begin nothing new after this long")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        print(table(given.out))
    elif given.cost:
        measured(given.rounds)
    else:
        sweep(given)


if __name__ == "__main__":
    import sys

    with contextlib.suppress(KeyboardInterrupt):
        begun_by_other_names() if sys.argv[1:2] == ["--placebo"] else main()
