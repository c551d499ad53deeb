"""The laboratory's pages: what they say, and that they can be read in a real browser."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import browser
import pytest

from mainstem import catalogue, config
from mainstem.lab import comparing, page
from mainstem.lab.result import Results, from_json

STORED = Path(__file__).parents[2] / "docs" / "results" / "lab"
FACTS = {
    "steps": 40, "seconds": 12.0, "commit": "c" * 40, "command": "mainstem lab x",
    "machine": {"cores": 2, "architecture": "x86-64", "instructions": "avx2", "threads": 2},
    "versions": {"torch": "2.13.0", "mainstem": "0.1.0"},
}  # fmt: skip


def compared(folder: Path, best: Sequence[float] = (2.0, 2.1, 2.05)) -> Results:
    """Two sides over three seeds; the second is better by 0.2 and a bit."""
    old, new = (config.load({"optim.lr": lr, "train.steps": 4, "model.context": 16}) for lr in (0.001, 0.01))
    experiment = comparing.experiment([comparing.Side("old", old), comparing.Side("a-rather-long-name", new)], folder)
    trials = {
        cell.name: {
            seed: {
                "best": value - gain * (1 + 0.01 * seed), "last": value, "gap": 0.1, "steps": 4.0, "seconds": 1.0,
                "curve_steps": [2.0, 4.0], "curve": [value + 1, value - gain],
            }
            for seed, value in enumerate(best)
        }
        for cell, gain in zip(experiment.cells, (0.0, 0.2), strict=True)
    }  # fmt: skip
    return Results(experiment, list(range(len(best))), trials, dict(FACTS))


def stored() -> list[Results]:
    """The results that are published, all of them of today's experiments."""
    paths = [STORED / f"{name}.json" for name in catalogue.names("experiment")]
    return [from_json(catalogue.resolve("experiment", path.stem), json.loads(path.read_text())) for path in paths]


def test_a_section_says_question_verdict_effect_conditions_and_machine(tmp_path: Path) -> None:
    section = page.section(compared(tmp_path))
    assert section.badge == "supported"
    said = "\n".join(section.paragraphs)
    for part in ("The question: Does a-rather-long-name reach a lower held-out loss than old?",
                 "Put to the test: a-rather-long-name is",
                 "Difference -0.202 bits per byte", "97.5% interval -0.2",
                 "3 seeds; smallest of interest 0.01, smallest detectable",
                 "optim.lr 0.001 and 0.01", "2 configurations x 3 seeds, 40 steps each, 12",
                 "On 2 cores (x86-64, avx2)", "commit cccccccccccc"):  # fmt: skip
        assert part in said
    rows = section.tables[0].rows
    assert [row[1] for row in rows] == ["supported", "no effect"]
    assert len({figure.key for figure in section.figures}) == len(section.figures) == 3


def test_how_it_was_done_says_what_was(tmp_path: Path) -> None:
    """Networks that no step was taken with had "1 step each", and a GPU was not named."""
    (exploding,) = [results for results in stored() if results.experiment.name == "exploding"]
    assert ", none of them trained, " in "\n".join(page.section(exploding).paragraphs)
    results = compared(tmp_path)
    results.facts["machine"] = {**FACTS["machine"], "device": "cuda", "gpu": "NVIDIA H200"}
    assert "2 threads, NVIDIA H200, torch 2.13.0" in "\n".join(page.section(results).paragraphs)


def test_the_forest_turns_every_effect_so_that_right_is_as_claimed(tmp_path: Path) -> None:
    first, second = page.effects(compared(tmp_path)).rows
    assert first.value == pytest.approx(20.2)
    assert 1 < first.low < first.value < first.high
    assert second.value == 0


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    section = page.section(compared(tmp_path, [2.0]))
    assert section.badge == "undecided"
    assert "(1 seed: too few for an interval)" in "\n".join(section.paragraphs)


def test_where_a_number_is_missing_that_is_what_is_said(tmp_path: Path) -> None:
    """Three seeds were "too few for an interval", and the remedy was for one seed."""
    results = compared(tmp_path)
    results.trials["old"][1] = {**results.trials["old"][1], "best": math.nan}
    section = page.section(results)
    said = "\n".join(section.paragraphs)
    assert section.badge == "undecided"
    assert "No difference: a number is missing or not finite (3 seeds). Where a number is missing, nothing" in said
    assert "too few" not in said and "One seed" not in said


def test_where_every_difference_is_of_interest_nothing_is_shaded(tmp_path: Path) -> None:
    """A whole bit per byte to both sides of 0 was, and the axis was in units of an effect of 0."""
    results = compared(tmp_path)
    sides = [comparing.Side(cell.name, cell.whole) for cell in results.experiment.cells if cell.whole is not None]
    results.experiment = comparing.experiment(sides, tmp_path, delta=0.0)
    forest = page.effects(results)
    assert [row.region for row in forest.rows] == [None, None]
    assert forest.unit == "bits per byte" and "shaded" not in forest.caption
    assert forest.rows[0].value == pytest.approx(0.202)
    assert page.section(results).badge == "supported"


def test_many_experiments_begin_with_a_table_of_verdicts(tmp_path: Path) -> None:
    results = compared(tmp_path)
    assert "Verdicts" not in page.page("t", "a", [results], None)
    other = Results(stored()[0].experiment, stored()[0].seeds, stored()[0].trials, dict(FACTS))
    text = page.page("t", "a", [results, other], "mainstem lab <x>")
    assert "Verdicts" in text
    assert "mainstem lab &lt;x&gt;" in text
    rows = sum(len(each.judged()) for each in (results, other))
    assert text.count('&nbsp;· <span class="note-word">') == text.count('class="note-word"') == rows, (
        "the dot between number and verdict stays with the number, so that no line begins with it"
    )


def test_what_is_published_says_what_made_it_and_its_verdicts_follow_from_its_numbers() -> None:
    for results in stored():
        found = json.loads((STORED / f"{results.experiment.name}.json").read_text())
        assert found["verdict"] == results.verdict
        assert [one["verdict"] for one in found["contrasts"]] == [verdict for _, _, verdict in results.judged()]
        assert results.facts["command"].startswith("mainstem lab")
        assert " /" not in results.facts["command"], "a path of one machine"
        assert len(results.facts["commit"]) == 40
        assert len(results.seeds) >= 5
        assert results.facts["machine"]["cores"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {
        "compare": page.page("compare", "Two configurations.", [compared(folder)], "mainstem compare a b"),
        "all": page.page("The laboratory", "Twelve claims.", stored(), "mainstem lab --all"),
    }
    for name, text in written.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in written}


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
@pytest.mark.parametrize("name", ["compare", "all"])
def test_the_page_is_quiet_and_nothing_overlaps(
    tab: browser.Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    browser.assert_quiet(tab, pages[name], width, dark)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["compare", "all"])
def test_a_phone_shows_whole_rows_of_effects(tab: browser.Page, pages: dict[str, Path], name: str) -> None:
    """Eight columns were twice as wide as a phone, so that one scrolled sideways through each row."""
    tab.show(pages[name], 390, False)
    wide = "return [...document.querySelectorAll('.cards')].map((t) => [t.scrollWidth, t.parentElement.clientWidth])"
    tables = tab.run(wide)
    assert tables and all(inner <= outer for inner, outer in tables)
    heads = "return [...document.querySelectorAll('.cards td')].map((t) => getComputedStyle(t, '::before').content)"
    assert '"detectable "' in tab.run(heads)
    tab.show(pages[name], 1400, False)
    assert set(tab.run(heads)) == {"none"}
