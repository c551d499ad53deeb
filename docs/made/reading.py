"""What the first reading says of residual forms: two columns of the READMEs' table of forms, and what to make of them.

Rows are those of `benchmarks/reading.py`, cell `once`: each form beside pre-norm with the same seeds, and the placebo,
which is pre-norm with other draws. A column is there where its file has rows, and gains are where pre-norm has
`LEAST` seeds: one difference says nothing of how far apart the draws alone would be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from mainstem import catalogue
from mainstem.lab.statistics import Paired, paired
from mainstem.wording import fixed

Row = dict[str, str]

BASE, PLACEBO, CELL = "pre_norm", "placebo", "once"
LEAST = 2
PAGE = "docs/results/first-reading.md"
WRITTEN = 3
"""Columns of the table that people write: name, formula, source."""

_CELLS = re.compile(r"(?<!\\)\|")
_WORDS = {
    "en": {
        "bits": "bits per byte, minus `pre_norm`'s", "time": "time of a step, `pre_norm`'s = 1",
        "interval": "{mean} ({low} to {high})", "one": "{mean} (1 seed)", "failed": "failed",
        "some": "{told}, {failed} of {all} seeds failed",
        "gain": "**Bits per byte**: a [first reading]({page}) of Moby Dick, {steps} steps of the recipe at 4 x 128, "
        "{seeds}; less is better, with the 95% interval of the paired differences. {floor}",
        "floor": "The noise floor is a placebo, pre-norm that differs in nothing but its draws: {told}, and up to "
        "{most} with one seed. A form that is not farther from 0 than that says nothing, and of {forms} forms about "
        "{chance} look different by chance.",
        "no floor": "The placebo has not been run, so nothing is known of the noise.",
        "cost": "**Time**: of a step on two cores, in turns with pre-norm ([first reading]({page})).",
        "seeds": "{} seeds", "seed": "1 seed", "either": "{} to {} seeds", "stop": " ",
    },
    "zh": {
        "bits": "每位元組位元數，減去 `pre_norm` 的", "time": "每步時間，`pre_norm` 為 1",
        "interval": "{mean}（{low} 至 {high}）", "one": "{mean}（1 個種子）", "failed": "失敗",
        "some": "{told}，{all} 個種子中 {failed} 個失敗",
        "gain": "**每位元組位元數**：在《白鯨記》上的[初步量測]({page})，以 4 x 128 的預設配方走 {steps} 步，{seeds}；"
        "越小越好，附上成對差異的 95% 信賴區間。{floor}",
        "floor": "雜訊的大小由安慰劑量得，也就是只有亂數不同的 pre-norm：{told}，單一種子最多相差 {most}。"
        "離 0 沒有比這更遠的形式，看不出與 pre-norm 有什麼不同；"
        "{forms} 種形式之中，大約有 {chance} 種只是碰巧看起來不同。",
        "no floor": "安慰劑還沒有跑過，因此雜訊有多大還不知道。",
        "cost": "**時間**：兩個核心上的每步時間，與 pre-norm 輪流量測（[結果]({page})）。",
        "seeds": "{} 個種子", "seed": "1 個種子", "either": "{} 至 {} 個種子", "stop": "",
    },
}  # fmt: skip


class Read(NamedTuple):
    """What was read of an arm: its differences to the base, seed by seed, and how many trainings failed."""

    apart: Sequence[float]
    failed: int

    @property
    def found(self) -> Paired:
        """Mean and interval."""
        return paired(self.apart, 0.0)


def arms(rows: Sequence[Row]) -> dict[str, Read]:
    """Return each arm over the seeds that it shares with the base; an arm that no seed is known of is not there.

    Nothing is where the base has fewer than `LEAST` seeds.
    """
    bits: dict[str, dict[str, float]] = {}
    failed: dict[str, int] = {}
    for row in rows:
        if row["cell"] == CELL and row["failed"]:
            failed[row["arm"]] = failed.get(row["arm"], 0) + 1
        elif row["cell"] == CELL:
            bits.setdefault(row["arm"], {})[row["seed"]] = float(row["bits_per_byte"])
    base = bits.get(BASE, {})
    if len(base) < LEAST:
        return {}
    found = {}
    for arm in dict.fromkeys([*bits, *failed]):
        apart = [value - base[seed] for seed, value in bits.get(arm, {}).items() if seed in base]
        if apart or failed.get(arm):
            found[arm] = Read(apart, failed.get(arm, 0))
    return found


def table(written: str, reading: Sequence[Row], cost: Sequence[Row], language: str) -> str:
    """Return the table of forms with what was measured of each behind the columns that are written by hand."""
    words, read = _WORDS[language], arms(reading)
    ratios = {row["arm"]: f"{float(row['ratio']):.2f}" for row in cost}
    gains = {arm: _said(one, words) for arm, one in read.items()} | {BASE: "0"}
    made = [({"": words["bits"]} | gains)] * any(arm in read for arm in _forms()) + [
        {"": words["time"]} | ratios | {BASE: "1"}
    ] * bool(ratios)
    lines = []
    for number, line in enumerate(written.splitlines()):
        cells = [cell.strip() for cell in _CELLS.split(line)[1 : WRITTEN + 1]]
        if number == 1:
            lines.append("|" + "---|" * (WRITTEN + len(made)))
            continue
        name = cells[0].strip("`") if number else ""
        lines.append(f"| {' | '.join([*cells, *(column.get(name, '–') for column in made)])} |")
    return "\n".join(lines)


def sentences(reading: Sequence[Row], cost: Sequence[Row], language: str) -> str:
    """Return what the columns are, how many seeds they rest on, and how far apart noise alone is."""
    words, read = _WORDS[language], arms(reading)
    told = []
    forms = [read[name] for name in _forms() if name in read]
    if forms:
        steps = sorted({int(row["steps"]) for row in reading if row["cell"] == CELL and row["steps"]})
        most = [len(form.apart) for form in forms if form.apart]
        told.append(
            words["gain"].format(
                page=PAGE, steps=" / ".join(f"{number:,}" for number in steps), seeds=_seeds(most, words),
                floor=_floor(read.get(PLACEBO), words),
            )
        )  # fmt: skip
    if cost:
        told.append(words["cost"].format(page=PAGE))
    return words["stop"].join(told)


def _forms() -> list[str]:
    return [name for name in catalogue.names("residual") if name != BASE]


def _floor(placebo: Read | None, words: dict[str, str]) -> str:
    if placebo is None or not placebo.apart:
        return words["no floor"]
    most = max(map(abs, placebo.apart))
    forms = len(_forms())
    return words["floor"].format(
        told=_said(placebo, words), most=f"{most:.3f}", forms=forms, chance=round(0.05 * forms)
    )


def _said(one: Read, words: dict[str, str]) -> str:
    if not one.apart:
        return words["failed"]
    found = one.found
    mean, low, high = map(_signed, (found.mean, found.low, found.high))
    told = words["one"].format(mean=mean) if math.isnan(found.low) else words["interval"].format(
        mean=mean, low=low, high=high
    )  # fmt: skip
    if one.failed:
        told = words["some"].format(told=told, failed=one.failed, all=one.failed + len(one.apart))
    return told


def _signed(number: float) -> str:
    """Return three digits behind the point, with a sign but for zero.

    >>> [_signed(number) for number in (0.0123, -0.0123, -0.0001)]
    ['+0.012', '−0.012', '0.000']
    """
    return fixed(number, "+.3f").replace("-", "−")


def _seeds(numbers: Sequence[int], words: dict[str, str]) -> str:
    if not numbers:
        return words["seeds"].format(0)
    if min(numbers) < max(numbers):
        return words["either"].format(min(numbers), max(numbers))
    return words["seed"] if numbers[0] == 1 else words["seeds"].format(numbers[0])
