"""The columns that the READMEs' table of forms has from a first reading, made of rows that are made up."""

from __future__ import annotations

import math
import re
import statistics

import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
from made import pages, reading

from mainstem import catalogue

BASE = {"0": 2.0, "1": 2.2, "2": 2.1, "3": 2.3}
WRITTEN = "| name | formula | source |\n|---|---|---|\n" + "\n".join(
    f"| `{name}` | \\|x\\| + F | A (1) |" for name in catalogue.names("residual")
)
"""A table as people write it, with bars that are no ends of cells."""


def row(arm: str, seed: str, bits: float, **more: str) -> reading.Row:
    return {"cell": "once", "arm": arm, "seed": seed, "steps": "456", "bits_per_byte": f"{bits}", "failed": ""} | more


def rows(**arms: dict[str, float]) -> list[reading.Row]:
    """Return the rows of arms whose differences to the base are given by seed."""
    found = [row("pre_norm", seed, bits) for seed, bits in BASE.items()]
    return found + [
        row(arm, seed, BASE[seed] + apart) for arm, by_seed in arms.items() for seed, apart in by_seed.items()
    ]


def cells(table: str, name: str) -> list[str]:
    """Return what a row of a table has behind the columns of people."""
    (line,) = [line for line in table.splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[reading.WRITTEN + 1 : -1]]


@pytest.mark.parametrize("language", pages.README)
def test_without_rows_the_table_is_as_people_wrote_it(language: str) -> None:
    assert reading.table(WRITTEN, [], [], language) == WRITTEN
    assert reading.table(WRITTEN, rows(), [], language) == WRITTEN, "of the base alone nothing is known"
    assert reading.sentences([], [], language) == ""


def test_one_seed_of_all_is_too_few_for_a_table_of_gains() -> None:
    alone = [row("pre_norm", "0", 2.0), row("placebo", "0", 2.001), row("keel", "0", 2.1)]
    assert reading.table(WRITTEN, alone, [], "en") == WRITTEN and reading.sentences(alone, [], "en") == ""
    more = [*alone, row("pre_norm", "1", 2.0), row("keel", "1", 2.1)]
    assert reading.table(WRITTEN, more, [], "en") != WRITTEN


def test_a_gain_is_the_paired_difference_with_its_interval_and_its_cost_the_ratio() -> None:
    apart = {"0": -0.02, "1": -0.01, "2": -0.03, "3": -0.011}
    made = reading.table(WRITTEN, rows(keel=apart), [{"arm": "keel", "ratio": "1.254"}], "en")
    half = 3.18244630528 * statistics.stdev(apart.values()) / math.sqrt(4)  # Student's t of 3 degrees, 0.975
    mean = statistics.mean(apart.values())
    mean, low, high = (f"{number:+.3f}".replace("-", "−") for number in (mean, mean - half, mean + half))
    assert cells(made, "keel") == [f"{mean} ({low} to {high})", "1.25"]
    assert cells(made, "pre_norm") == ["0", "1"] and cells(made, "highway") == ["–", "–"]
    assert made.splitlines()[0].count("|") == made.splitlines()[1].count("|") == 6


def test_one_seed_has_no_interval_and_says_so() -> None:
    found = {language: reading.table(WRITTEN, rows(keel={"2": 0.0124}), [], language) for language in pages.README}
    assert cells(found["en"], "keel") == ["+0.012 (1 seed)"]
    assert cells(found["zh"], "keel") == ["+0.012（1 個種子）"]


def test_only_shared_seeds_of_the_cell_count_and_what_failed_is_said() -> None:
    made = rows(keel={"0": 0.1, "1": 0.1})
    made += [row("keel", "9", 1.0), row("keel", "2", 1.0, cell="often"), row("keel", "3", 0, failed="Not finite.")]
    made += [row("keel", "1", 0, cell="often", failed="Not finite.")]
    made += [row("plain", seed, 0, failed="Not finite.", bits_per_byte="") for seed in BASE]
    table = reading.table(WRITTEN, made, [], "en")
    assert cells(table, "keel") == ["+0.100 (+0.100 to +0.100), 1 of 3 seeds failed"]
    assert cells(table, "plain") == ["failed"]


@pytest.mark.parametrize("language", pages.README)
def test_the_table_is_the_same_when_it_is_made_again_and_when_rows_go(language: str) -> None:
    more = rows(keel={"0": 0.1, "1": 0.2}), [{"arm": "keel", "ratio": "1"}]
    once = reading.table(WRITTEN, *more, language)
    assert once != WRITTEN and reading.table(once, *more, language) == once
    assert reading.table(once, [], [], language) == WRITTEN
    assert cells(reading.table(once, more[0], [], language), "keel") == cells(once, "keel")[:1]


@pytest.mark.parametrize(("language", "said"), [
    ("en", ["456 steps", "2 to 4 seeds", "−0.005 (−0.038 to +0.028)", "up to 0.030 with one seed"]),
    ("zh", ["456 步", "2 至 4 個種子", "−0.005（−0.038 至 +0.028）", "單一種子最多相差 0.030"]),
])  # fmt: skip
def test_the_noise_floor_stands_beside_the_gains(language: str, said: list[str]) -> None:
    placebo = {"0": 0.02, "1": -0.03, "2": -0.01, "3": 0.0}
    made = rows(placebo=placebo, keel={"0": 0.1, "1": 0.1}, highway=dict.fromkeys(BASE, 0.1))
    found = reading.sentences(made, [], language)
    assert [part for part in said if part not in found] == []
    assert f"({reading.PAGE})" in found and "\n" not in found
    alone = reading.sentences(rows(keel={"0": 0.1}), [], language)
    assert reading._WORDS[language]["no floor"] in alone and "nan" not in found + alone


@pytest.mark.parametrize("language", pages.README)
def test_the_columns_stand_in_both_readmes(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"reading": rows(keel={"0": 0.1, "1": 0.1}), "reading_cost": [{"arm": "keel", "ratio": "1.5"}]}
    known = pages._csv
    monkeypatch.setattr(pages, "_csv", lambda name: made.get(name) or known(name))
    text = pages.README[language].read_text(encoding="utf-8")
    shown = pages.filled(text, language)
    assert cells(shown, "keel")[1:] == ["1.50"] and shown.count(reading.PAGE) == 2
    assert pages.filled(shown, language) == shown
