"""The page `docs/results/first-reading.md`, made from the rows of `reading.py`: the arms of each cell, best first."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import trainings
from reading_arms import BASE, CELLS, PLACEBO, TOKENS, names

COST = Path(__file__).parent / "results" / "reading_cost.csv"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "first-reading.md"


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
