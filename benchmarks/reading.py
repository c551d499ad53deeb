"""A first reading of every residual form and regularizer, at one small cell, over paired seeds and at equal steps.

    python benchmarks/reading.py --texts FOLDER --seeds 0,1,2,3 [--minutes 150]
    python benchmarks/reading.py --cost [--rounds 12]
    python benchmarks/reading.py --plan --texts FOLDER
    python benchmarks/reading.py --table

Each arm is the recipe `default` at 4 x 128 with one thing changed. Every residual form of the catalogue is an arm of
the cell `once`, so that a new one is read without a word here; the regularizers stand in `REGULARIZERS`, of which a
test sees that the catalogue has no other, and are arms of the cell `often` as well. The arm `placebo` changes nothing
but the names that initial weights and masks are drawn by: what it differs by from the base is what any difference must
exceed. All runs of a cell take the same number of steps, and the best of ten held-out passes counts, of the network
alone.

Rows are appended as they are made, keyed by what they are of; a second run of the command skips what is there. All arms
of a seed come before those of the next one, so that a part of the sweep is a reading too. `--plan` says what is left,
and how long that takes. `--cost` measures how many times as long as the base's a step of each arm takes, all arms in
turns, and wants an idle machine. `--table` writes `docs/results/first-reading.md` anew. What is trained stands in
`reading_arms.py`, what a step costs is measured in `reading_cost.py`, and `reading_page.py` has what the page says.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cost
import reading_cost
import reading_page
import trainings
from reading_arms import CELLS, PLACEBO, SHAPE, TOKENS, Arm, Cell, arms, key

FIELDS = (
    "key", "cell", "sha256", "arm", "flags", "seed", "steps", "passes", "parameters", "bits_per_byte", "best_step",
    "last_bits_per_byte", "train_bits_per_byte", "failed", "dtype", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "reading.csv"


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


def trials(given: argparse.Namespace, folder: Path) -> Iterator[tuple[Arm, trainings.Trial]]:
    """Yield each arm and the row that it is to give; parts of texts are put into `folder`."""
    paths = {name: text_of(cell, given.texts, folder) for name, cell in CELLS.items()}
    steps = {name: steps_of(cell, paths[name]) for name, cell in CELLS.items()}
    shas = {name: trainings.digest(str(path))[1] for name, path in paths.items()}
    for arm in arms([int(seed) for seed in given.seeds.split(",")]):
        known = {"sha256": shas[arm.cell], "arm": arm.name, "cell": arm.cell, "flags": arm.flags, "seed": arm.seed,
                 "steps": steps[arm.cell]}  # fmt: skip
        words = [*SHAPE, *trainings.words(arm.flags), "--seed", str(arm.seed), *trainings.length(steps[arm.cell])]
        program = (str(Path(__file__).resolve()), "--placebo") if arm.name == PLACEBO else ("-m", "mainstem")
        train = functools.partial(trainings.trained, str(paths[arm.cell]), words, program=program)
        yield arm, (key(arm, shas[arm.cell]), known, train)


def sweep(given: argparse.Namespace) -> None:
    """Run the arms that have no row yet, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        rows = (trial for _, trial in trials(given, Path(folder)))
        trainings.sweep(given.out, FIELDS, given.minutes, rows)


def planned(given: argparse.Namespace) -> str:
    """Return how many arms of each cell and seed are left, and how long they take, in Markdown.

    An arm takes as long as its other seeds have taken, or else as the arms of its cell on average. Where no row is
    there yet, a step is taken to be that of the base on the machine of `results/cost.csv`, with both its cores.
    """
    rows = [row for row in trainings.read(given.out) if row["wall"]]
    there = {row["key"] for row in trainings.read(given.out)}
    base = cost.seconds_of(cost.Shape(4, 128, 1024, 128, TOKENS))
    left: dict[tuple[int, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for arm, (found, known, _) in trials(given, Path(folder)):
            if found in there:
                continue
            alike = [row for row in rows if row["cell"] == arm.cell]
            alike = [row for row in alike if row["arm"] == arm.name] or alike
            seconds = [float(row["wall"]) for row in alike] or [base * known["steps"]]
            left.setdefault((arm.seed, arm.cell), []).append(statistics.mean(seconds))
    lines = ["| seed | cell | arms left | minutes |", "|---|---|---|---|"]
    for (seed, cell), seconds in left.items():
        lines.append(f"| {seed} | {cell} | {len(seconds)} | {sum(seconds) / 60:.0f} |")
    total = sum(sum(seconds) for seconds in left.values())
    return "\n".join([*lines, "", f"{total / 3600:.1f} hours in all"])


def main() -> None:
    """Sweep, say what is left, measure what a step costs, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=Path(), help="the folder that has the texts")
    parser.add_argument("--seeds", default="0,1,2,3")
    parser.add_argument("--minutes", type=float, default=150.0, help="begin nothing new after this long")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        reading_page.PAGE.write_text(reading_page.page(given.out), encoding="utf-8")
    elif given.plan:
        print(planned(given))
    elif given.cost:
        reading_cost.measured(given.rounds)
    else:
        sweep(given)


if __name__ == "__main__":
    import sys

    with contextlib.suppress(KeyboardInterrupt):
        begun_by_other_names() if sys.argv[1:2] == ["--placebo"] else main()
