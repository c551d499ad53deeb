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
turns, and wants an idle machine. `--table` writes `docs/results/first-reading.md` anew.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cost
import trainings

from mainstem import catalogue

FIELDS = (
    "key", "cell", "sha256", "arm", "flags", "seed", "steps", "passes", "parameters", "bits_per_byte", "best_step",
    "last_bits_per_byte", "train_bits_per_byte", "failed", "dtype", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "reading.csv"
COST = Path(__file__).parent / "results" / "reading_cost.csv"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "first-reading.md"
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
    "early dropout 0.1": "noise.also.0.name=dropout noise.also.0.rate=0.1 noise.also.0.end=0.2",
    "late dropout 0.1": "noise.also.0.name=dropout noise.also.0.rate=0.1 noise.also.0.begin=0.2",
    "dropout of embeddings 0.1": "noise.embedding=0.1",
    "dropout of attention weights 0.1": "noise.attention_weights=0.1",
    "dropout of attention 0.1": "noise.attention=0.1",
    "dropout of hidden units 0.1": "noise.hidden=0.1",
    "dropout of feedforward 0.1": "noise.feedforward=0.1",
    "stochastic depth 0.2": "noise.depth=0.2",
    **{f"{name} 0.1": f"noise.also.0.name={name} noise.also.0.rate=0.1" for name in catalogue.names("noise")[2:]},
    "no decay": "optim.decay=0",
    "decay 0.4": "optim.decay=0.4",
    "decay 1.6": "optim.decay=1.6",
    "cautious decay": "optim.decay_kind=cautious",
    "independent decay 0.0028": "optim.decay_kind=independent optim.decay=0.0028",
    "decay over 4 passes": "optim.decay_kind=passes optim.decay=4",
    "rising decay": "optim.decay_course=rising",
    "falling decay": "optim.decay_course=falling",
    "L1 1e-6": "penalty.0.name=l1 penalty.0.coef=1e-6",
    "L2 1e-4": "penalty.0.name=l2 penalty.0.coef=1e-4",
    "elastic net 1e-5": "penalty.0.name=elastic_net penalty.0.coef=1e-5",
    "L2 to the initial weights 1e-4": "penalty.0.name=l2_sp penalty.0.coef=1e-4",
    "group lasso of hidden units 1e-6": "penalty.0.name=group_lasso penalty.0.over=hidden penalty.0.coef=1e-6",
    "orthogonality 1e-4": "penalty.0.name=orthogonality penalty.0.coef=1e-4",
    "spectral norm 1e-3": "penalty.0.name=spectral penalty.0.coef=1e-3",
    "proximal L1 1e-6": "optim.proximal.0.name=l1 optim.proximal.0.coef=1e-6",
    "proximal group lasso of hidden units 1e-6": "optim.proximal.0.name=group_lasso optim.proximal.0.over=hidden "
    "optim.proximal.0.coef=1e-6",
    "label smoothing 0.1": "loss.label_smoothing=0.1",
    "z-loss 1e-4": "loss.z_loss=1e-4",
    "confidence penalty 0.1": "loss.confidence=0.1",
    "L1 of hidden units 0.01": "loss.hidden_l1=0.01",
    "L2 of hidden units 0.01": "loss.hidden_l2=0.01",
    "L1 of the stream 0.001": "loss.stream_l1=0.001",
    "L2 of the stream 0.001": "loss.stream_l2=0.001",
    "logits bounded by 30": "model.soft_cap=30",
    "masked inputs": "loss.name=masked_inputs",
    "R-Drop, dropout 0.1": "loss.name=r_drop noise.rate=0.1",
    "three tokens at once": "loss.name=multi_token",
    "SAM": "optim.around=sam",
    "ASAM": "optim.around=asam",
    "average 0.99": "optim.average=0.99",
    "SWA of the last fifth": "optim.swa=0.2",
    "soup of five of the last fifth": "optim.swa=0.2 optim.soup=5",
}
"""By what a table calls them; each is the flags over the base. Strengths are usual ones, and none was tuned."""


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


def trials(given: argparse.Namespace, folder: Path) -> Iterator[tuple[Arm, trainings.Trial]]:
    """Yield each arm and the row that it is to give; parts of texts are put into `folder`."""
    paths = {name: text_of(cell, given.texts, folder) for name, cell in CELLS.items()}
    steps = {name: steps_of(cell, paths[name]) for name, cell in CELLS.items()}
    shas = {name: trainings.digest(str(path))[1] for name, path in paths.items()}
    for arm in arms([int(seed) for seed in given.seeds.split(",")]):
        known = {"sha256": shas[arm.cell], "arm": arm.name, "cell": arm.cell, "flags": arm.flags, "seed": arm.seed,
                 "steps": steps[arm.cell]}  # fmt: skip
        key = trainings.key(shas[arm.cell], arm.cell, arm.name, arm.flags, arm.seed)
        words = [*SHAPE, *trainings.words(arm.flags), "--seed", str(arm.seed), *trainings.length(steps[arm.cell])]
        program = (str(Path(__file__).resolve()), "--placebo") if arm.name == PLACEBO else ("-m", "mainstem")
        train = functools.partial(trainings.trained, str(paths[arm.cell]), words, program=program)
        yield arm, (key, known, train)


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
        for arm, (key, known, _) in trials(given, Path(folder)):
            if key in there:
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


def table(path: Path, cost_path: Path = COST) -> str:
    """Return the arms of each cell, best first, with paired differences to the base, in Markdown."""
    ratios = {row["arm"]: f"{float(row['ratio']):.2f}" for row in trainings.read(cost_path)}
    return "\n\n".join(part for cell in CELLS if (part := of_cell(path, cell, ratios)))


def of_cell(path: Path, cell: str, ratios: Mapping[str, str]) -> str:
    """Return what was read in one cell, or nothing where the base has no row yet."""
    rows = [row for row in trainings.read(path) if row["cell"] == cell]
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if not row["failed"]:
            found.setdefault(row["arm"], {})[int(row["seed"])] = float(row["bits_per_byte"])
    if BASE not in found:
        return ""
    more = {row["arm"]: int(row["parameters"]) for row in rows if not row["failed"]}
    failed = [f"{row['arm']}, seed {row['seed']}: {row['failed']}" for row in rows if row["failed"]]
    lines = [
        f"## {cell}", "", floor(cell, rows, found), "",
        "| arm | seeds | bits per byte | minus the base | 95% interval | step | parameters |", "|---|" + "---|" * 6,
    ]  # fmt: skip
    means = {name: statistics.mean(by_seed.values()) for name, by_seed in found.items()}
    apart = {name: trainings.paired(by_seed, found[BASE]) for name, by_seed in found.items()}
    for name in sorted(found, key=lambda name: (float(apart[name][0] or "inf"), means[name])):
        difference = ("", "") if name == BASE else apart[name]
        cells = (name, len(found[name]), f"{means[name]:.3f}", *difference, ratios.get(name, ""),
                 f"{more[name] / more[BASE]:.3f}")  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    there = {row["arm"] for row in rows}
    left = [name for name in names(cell) if name not in there]
    unread = ["", f"Without a row yet: {', '.join(left)}."] if left else []
    return "\n".join(
        [*lines, *(["", "Did not end:", "", *(f"- {each}" for each in failed)] if failed else []), *unread]
    )


def floor(cell: str, rows: Sequence[Mapping[str, str]], found: Mapping[str, Mapping[int, float]]) -> str:
    """Return what a cell is, and how far two trainings are apart that differ in nothing but their draws."""
    of = CELLS[cell]
    size = "its first 150,000 bytes" if of.size < 1 << 30 else "all of it"
    steps = sorted({int(row["steps"]) for row in rows})
    said = f"`{of.text}`, {size}, seen {of.passes} times: {', '.join(map(str, steps))} steps of {TOKENS} tokens."
    shared = [seed for seed in found.get(PLACEBO, {}) if seed in found[BASE]]
    if not shared:
        return f"{said} The placebo has no row yet, so that nothing is known of the noise."
    mean, interval = trainings.paired(found[PLACEBO], found[BASE])
    most = max(abs(found[PLACEBO][seed] - found[BASE][seed]) for seed in shared)
    alone = " One difference may be small by chance: read nothing into the order of arms that are close." * (
        len(shared) == 1
    )
    return (
        f"{said} **Noise floor**: the placebo, which draws other initial weights and masks and is the base otherwise, "
        f"is {mean} bits per byte from it on average{f' ({interval})' if interval else ''}, and up to {most:.3f} with "
        f"one seed. A difference that is not beyond that says nothing.{alone}"
    )


HEAD = """# A first reading of every residual form and regularizer

Each arm is the recipe `default` at 4 x 128 with one thing changed, at a usual strength that was not tuned, and at equal
steps: bits per byte of the network alone, at the best of ten held-out passes, paired by seed with the base (pre-norm,
decay 0.1, nothing dropped). `step` is how many times as long a step takes as the base's, measured in turns, and
`parameters` how many times as many there are. **It is a reading, not a verdict**: so many comparisons of so few
seeds have some large differences by chance, a strength that fits one method may not fit another, and a longer training
or another text may turn signs. What is to be believed is tested by `mainstem lab` and `mainstem compare`.

`python benchmarks/reading.py --texts FOLDER --seeds {seeds}`, then `--cost` and `--table`, which writes this page. The
texts are those of `benchmarks/texts.py`, rows stand in `benchmarks/results/reading.csv`; one thread a training, in
{dtype}, beside other work, {made}.
"""


def page(path: Path, cost_path: Path = COST) -> str:
    """Return the page on what was read so far; rows have to be there."""
    rows = trainings.read(path)
    if not rows:
        raise SystemExit(f"{path} has no rows: run the sweep first.")
    seeds = ",".join(map(str, sorted({int(row["seed"]) for row in rows})))
    dtype = " or ".join(sorted({row["dtype"] for row in rows} - {""}))
    return f"{HEAD.format(seeds=seeds, dtype=dtype, made=trainings.made_by(rows))}\n{table(path, cost_path)}\n"


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
        PAGE.write_text(page(given.out), encoding="utf-8")
    elif given.plan:
        print(planned(given))
    elif given.cost:
        measured(given.rounds)
    else:
        sweep(given)


if __name__ == "__main__":
    import sys

    with contextlib.suppress(KeyboardInterrupt):
        begun_by_other_names() if sys.argv[1:2] == ["--placebo"] else main()
