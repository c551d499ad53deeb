"""The page `docs/results/depth.md`, made from the rows of `deep.py`: depths, learning rates and failures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import trainings
from deep_arms import BLOCKS, FORMS, RATE, STEPS, TEXT

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "depth.md"


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
