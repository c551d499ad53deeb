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
depths come first, and all forms of a seed before the next one. `--table` writes `docs/results/depth.md` anew.
"""

from __future__ import annotations

import argparse
import functools
import math
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import trainings

FIELDS = (
    "key", "sha256", "part", "form", "flags", "blocks", "rate", "seed", "steps", "parameters", "bits_per_byte",
    "best_step", "last_bits_per_byte", "unigram", "failed", "commit", "machine", "torch", "wall",
)  # fmt: skip
OUT = Path(__file__).parent / "results" / "deep.csv"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "depth.md"
TEXT = "shakespeare"
SEEDS, BLOCKS, TUNED = (0, 1, 2), (4, 16, 64, 256, 1000), (4, 16, 64)
STEPS, RATE = 200, 2e-3
RATES = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
"""Each twice the one before it, so that the best of two depths are within a factor of 2 where they are neighbours."""

FORMS = {
    "pre_norm": "model.residual=pre_norm",
    "layer_norm_scaling": "model.residual=layer_norm_scaling",
    "complete_p": "model.residual=complete_p model.residual.base_layers=4 model.residual.base_width=32",
    "deepnorm": "model.residual=deepnorm",
    "keel": "model.residual=keel",
    "rezero": "model.residual=rezero",
    "reversible": "model.residual=reversible",
    "attention_residuals": "model.residual=attention_residuals model.residual.group={group}",
    "post_norm": "model.residual=post_norm",
}
"""The flags of each; pre-norm starts with output projections divided by sqrt N. A group of attention over depth is an
eighth of all sublayers, so that its cost is linear too."""

SHAPE = (
    "model.width=32 model.heads=2 model.context=64 model.prior=none data.tokenizer=byte train.batch=8 optim.name=adamw "
    "optim.warmup=0.1 evaluate.tokens=4096 evaluate.cap=0 machine.dtype=float32"
)


class Arm(NamedTuple):
    """One training."""

    part: str
    form: str
    blocks: int
    rate: float
    seed: int

    @property
    def flags(self) -> str:
        """The flags of the configuration over the recipe `default`."""
        form = FORMS[self.form].format(group=max(1, self.blocks // 4))
        return f"{SHAPE} model.layers={self.blocks} {form} optim.lr={self.rate:g}"


def arms(depths: Sequence[int] = BLOCKS) -> Iterator[Arm]:
    """Yield all arms, small depths first, and of a depth one seed after the other.

    >>> [arm.form for arm in arms([4])][:3], next(arms([4])).rate
    (['pre_norm', 'layer_norm_scaling', 'complete_p'], 0.002)
    """
    for blocks in depths:
        for seed in SEEDS:
            yield from (Arm("depth", form, blocks, RATE, seed) for form in FORMS)
        if blocks in TUNED:
            for seed in SEEDS:
                for rate in RATES:
                    yield from (Arm("rate", form, blocks, rate, seed) for form in ("pre_norm", "complete_p"))


def hopeless(rows: Sequence[dict[str, str]], arm: Arm) -> bool:
    """Return whether all seeds of a form failed at a smaller depth.

    >>> row = {"part": "depth", "form": "keel", "blocks": "4", "failed": "its numbers were not finite"}
    >>> hopeless([row] * 3, Arm("depth", "keel", 16, RATE, 0)), hopeless([row] * 2, Arm("depth", "keel", 16, RATE, 0))
    (True, False)
    """
    found: dict[int, int] = {}
    for row in rows:
        if (row["part"], row["form"]) == (arm.part, arm.form) and int(row["blocks"]) < arm.blocks and row["failed"]:
            found[int(row["blocks"])] = found.get(int(row["blocks"]), 0) + 1
    return arm.part == "depth" and any(count == len(SEEDS) for count in found.values())


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
        key = trainings.key(sha, STEPS, arm.flags, arm.seed)
        yield arm, (f"{arm.part}-{key}", known, functools.partial(trained, str(path), words, single))


def trained(path: str, words: Sequence[str], single: float) -> dict[str, object]:
    """Return what a run came to; `failed` says where that is no more than what frequencies of bytes know."""
    came = trainings.trained(path, words)
    bits = float(str(came["bits_per_byte"]))
    return came | ({} if bits < single else {"failed": f"{bits:.3f} bits per byte, and frequencies alone {single:.3f}"})


def planned(path: Path, out: Path, depths: Sequence[int]) -> str:
    """Return how many arms of each depth are left, and how long those take whose like has been trained, in Markdown."""
    rows = [row for row in trainings.read(out) if row["wall"]]
    there, left = {row["key"] for row in trainings.read(out)}, {blocks: [0, 0.0, 0] for blocks in depths}
    for arm, (key, *_) in trials(path, out, depths):
        if key not in there:
            walls = [float(row["wall"]) for row in rows if (row["form"], row["blocks"]) == (arm.form, str(arm.blocks))]
            count, seconds, unknown = left[arm.blocks]
            left[arm.blocks] = [count + 1, seconds + (statistics.mean(walls) if walls else 0.0), unknown + (not walls)]
    lines = ["| blocks | arms left | minutes | arms of unknown time |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {blocks:,} | {n} | {t / 60:.0f} | {u} |" for blocks, (n, t, u) in left.items())])


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return bits per byte by form and depth, with failures of how many seeds, in Markdown.

    >>> row = {"part": "depth", "form": "keel", "blocks": "4", "bits_per_byte": "2.5", "failed": ""}
    >>> print(table([row, row | {"failed": "numbers"}]).splitlines()[-1])
    | keel | 2.500, 1 of 2 failed |
    """
    rows = [row for row in rows if row["part"] == "depth"]
    depths = sorted({int(row["blocks"]) for row in rows})
    lines = [f"| form | {' | '.join(f'{blocks:,} blocks' for blocks in depths)} |", f"|{'---|' * (len(depths) + 1)}"]
    for form in FORMS:
        cells = []
        for blocks in depths:
            own = [row for row in rows if (row["form"], int(row["blocks"])) == (form, blocks)]
            bits = [float(row["bits_per_byte"]) for row in own if not row["failed"]]
            said = f"{statistics.mean(bits):.3f}" if bits else ""
            fails = f"{len(own) - len(bits)} of {len(own)} failed" if len(bits) < len(own) else ""
            cells.append(", ".join(filter(None, (said, fails))))
        if any(cells):
            lines.append(f"| {form} | {' | '.join(cells)} |")
    return "\n".join(lines)


def deeper(rows: Sequence[dict[str, str]]) -> str:
    """Return which forms end lower with the most blocks than with the fewest, by the signs of all their seeds.

    >>> at = {"part": "depth", "failed": "", "seed": "0"}
    >>> rows = [at | {"form": form, "blocks": blocks, "bits_per_byte": bits}
    ...         for form, *both in (("keel", "2", "1"), ("rezero", "1", "2"))
    ...         for blocks, bits in zip(("4", "16"), both)]
    >>> print(deeper([*rows, at | {"form": "keel", "blocks": "16", "bits_per_byte": "", "seed": "1"}]))
    With 16 blocks in place of 4, of the seeds that did not fail, all of keel end lower, and all of rezero end higher.
    """
    rows = [row for row in rows if row["part"] == "depth"]
    trained: dict[int, set[str]] = {}
    for row in rows:
        trained.setdefault(int(row["blocks"]), set()).add(row["form"])
    few = min(trained)
    many = max(blocks for blocks, forms in trained.items() if forms >= trained[few])  # a depth that has been swept
    found: dict[str, list[str]] = {"all of {} end lower": [], "all of {} end higher": [],
                                   "those of {} differ in their sign": []}  # fmt: skip
    lower, higher, neither = found
    for form in FORMS:
        bits: dict[tuple[int, str], float] = {
            (int(row["blocks"]), row["seed"]): float(row["bits_per_byte"])
            for row in rows if row["form"] == form and row["bits_per_byte"]
        }  # fmt: skip
        changes = [bits[many, seed] - value for (blocks, seed), value in bits.items()
                   if blocks == few and (many, seed) in bits]  # fmt: skip
        if changes:
            sign = lower if max(changes) < 0 else higher if min(changes) > 0 else neither
            found[sign].append(form)
    parts = [said.format(", ".join(forms)) for said, forms in found.items() if forms]
    joined = ", and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else "nothing is known"
    return f"With {many:,} blocks in place of {few:,}, of the seeds that did not fail, {joined}."


def best_rates(rows: Sequence[dict[str, str]], form: str) -> dict[int, float]:
    """Return the learning rate with the least mean over seeds at each depth; a run that did not end is infinite."""
    found: dict[int, dict[float, list[float]]] = {}
    for row in rows:
        if (row["part"], row["form"]) == ("rate", form):
            bits = float(row["bits_per_byte"] or math.inf)
            found.setdefault(int(row["blocks"]), {}).setdefault(float(row["rate"]), []).append(bits)
    best = {}
    for blocks, by_rate in sorted(found.items()):
        means = {rate: statistics.mean(values) for rate, values in by_rate.items()}
        best[blocks] = min(means, key=means.__getitem__)
    return best


def rates(rows: Sequence[dict[str, str]]) -> str:
    """Return the best learning rates with CompleteP and without, in Markdown, and whether they hold.

    >>> at = {"part": "rate", "form": "complete_p", "failed": "", "bits_per_byte": "2"}
    >>> print(rates([at | {"blocks": "4", "rate": "0.001"}, at | {"blocks": "16", "rate": "0.002"}]).splitlines()[-1])
    | complete_p | 0.001 | 0.002 | 2 | reached |
    """
    best = {form: found for form in ("pre_norm", "complete_p") if (found := best_rates(rows, form))}
    depths = sorted({blocks for found in best.values() for blocks in found})
    heads = ("form", *(f"best at {blocks} blocks" for blocks in depths), "largest / smallest", "goal: within 2")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for form, found in best.items():
        apart = max(found.values()) / min(found.values())
        cells = (form, *(f"{found[blocks]:g}" if blocks in found else "" for blocks in depths), f"{apart:g}",
                 "reached" if apart <= 2 else "missed")  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _order(at: tuple[str, int]) -> tuple[int, int]:
    return list(FORMS).index(at[0]), at[1]


def by_rate(rows: Sequence[dict[str, str]]) -> str:
    """Return bits per byte by form, depth and learning rate, the least of each row in bold, in Markdown.

    >>> at = {"part": "rate", "form": "complete_p", "blocks": "4", "bits_per_byte": "2"}
    >>> print(by_rate([at | {"rate": "0.001"}, at | {"rate": "0.002", "bits_per_byte": "1.5"}]).splitlines()[-1])
    | complete_p, 4 blocks | 2.000 | **1.500** |
    """
    rows = [row for row in rows if row["part"] == "rate"]
    tried = sorted({float(row["rate"]) for row in rows})
    lines = [f"| form | {' | '.join(f'{rate:g}' for rate in tried)} |", f"|{'---|' * (len(tried) + 1)}"]
    for form, blocks in sorted({(row["form"], int(row["blocks"])) for row in rows}, key=_order):
        own = [row for row in rows if (row["form"], row["blocks"]) == (form, str(blocks))]
        means = {
            rate: statistics.mean(float(row["bits_per_byte"] or math.inf) for row in own if float(row["rate"]) == rate)
            for rate in {float(row["rate"]) for row in own}
        }
        least = min(means.values())
        cells = (f"**{means[r]:.3f}**" if means[r] == least else f"{means[r]:.3f}" if r in means else "" for r in tried)
        lines.append(f"| {form}, {blocks:,} blocks | {' | '.join(cells)} |")
    return "\n".join(lines)


def failures(rows: Sequence[dict[str, str]]) -> str:
    """Return what failed, a line for each form, depth and rate; of the rates alone what was not finite, in Markdown.

    >>> at = {"part": "depth", "form": "rezero", "blocks": "64", "rate": "2e-3", "bits_per_byte": ""}
    >>> print(failures([at | {"seed": seed, "failed": f"mainstem: {seed}5 is nan, as"} for seed in "01"]))
    - rezero, 64 blocks, rate 0.002, seeds 0 and 1: 05 is nan; 15 is nan.
    """
    found: dict[tuple[str, int, float], list[dict[str, str]]] = {}
    for row in rows:
        if row["failed"] and (row["part"] == "depth" or not row["bits_per_byte"]):
            found.setdefault((row["form"], int(row["blocks"]), float(row["rate"])), []).append(row)
    lines = []
    for (form, blocks, rate), own in found.items():
        seeds = " and ".join(row["seed"] for row in own)
        why = "; ".join(row["failed"].removeprefix("mainstem: ").partition(", as")[0] for row in own)
        which = "seed" if len(own) == 1 else "seeds"
        lines.append(f"- {form}, {blocks:,} blocks, rate {rate:g}, {which} {seeds}: {why}.")
    return "\n".join(lines) or "None."


def missing(rows: Sequence[dict[str, str]]) -> str:
    """Return which depths are left, with a blank before it; nothing where none is.

    >>> missing([{"part": "depth", "blocks": str(blocks)} for blocks in BLOCKS[:-1]])
    ' 1,000 blocks are still to be trained.'
    """
    there = {int(row["blocks"]) for row in rows if row["part"] == "depth"}
    left = [f"{blocks:,}" for blocks in BLOCKS if blocks not in there]
    return f" {' and '.join(left)} blocks are still to be trained." if left else ""


def page(rows: Sequence[dict[str, str]]) -> str:
    """Return the page on what was trained so far; rows have to be there."""
    if not rows:
        raise SystemExit("There are no rows: run the sweep first.")
    single = ", ".join(sorted({row["unigram"] for row in rows}))
    return f"""# How deep a residual form can be trained

`python benchmarks/deep.py --texts FOLDER`, then `--table`, which writes this page; the text is `{TEXT}` of
`benchmarks/texts.py`, rows stand in `benchmarks/results/deep.csv`; one thread a training, beside other work,
{trainings.made_by(rows)}. Width 32, 2 heads, windows of 64 bytes, {STEPS} steps of 512 bytes with AdamW, warm-up over a
tenth of them, then linear to 0. Bits per byte at the best of ten held-out passes, mean over the seeds that did not
fail; frequencies of single bytes have {single}. So few steps at one learning rate say which forms can be trained at a
depth, and not which is best there.

## By depth, at a learning rate of {RATE:g}

{table(rows)}

{deeper(rows)}

A run failed where its numbers were not finite, or where it is no better than the frequencies. A form of which all seeds
failed was not tried deeper.{missing(rows)}

## The best learning rate

Bits per byte, mean over the seeds, the least of each row in bold. CompleteP's base are 4 blocks.

{by_rate(rows)}

{rates(rows)}

## Failures

{failures(rows)}
"""


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
        PAGE.write_text(page(trainings.read(given.out)), encoding="utf-8")
    elif given.plan:
        print(planned(path, given.out, depths))
    else:
        trainings.sweep(given.out, FIELDS, given.minutes, (trial for _, trial in trials(path, given.out, depths)))


if __name__ == "__main__":
    main()
