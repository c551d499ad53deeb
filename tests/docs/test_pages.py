"""What of the READMEs is made is what would be made now, and comes from the rows that it names."""

from __future__ import annotations

import csv
import math
import re

import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
from code_blocks import ROOT
from made import pages, picture


@pytest.mark.parametrize("language", pages.README)
def test_no_formula_of_a_table_is_taken_for_emphasis(language: str) -> None:
    """An underscore behind a bracket opens an emphasis, which the next one closes."""
    markdown = pytest.importorskip("markdown")
    shown = markdown.markdown(pages.README[language].read_text(encoding="utf-8"), extensions=["tables", "fenced_code"])
    assert re.findall(r"<td>(?:(?!</td>).)*<em>.*?</td>", shown) == []


@pytest.mark.parametrize("language", pages.README)
def test_the_readme_is_not_stale(language: str) -> None:
    text = pages.README[language].read_text(encoding="utf-8")
    assert pages.filled(text, language) == text, "run `make pages`"
    assert set(re.findall(r"<!-- made: (\w+) -->", text)) == set(pages.BLOCKS)
    assert re.findall(r"<!-- columns: (\w+) -->", text) == ["forms"]


def test_a_number_that_changes_is_seen() -> None:
    text = pages.README["en"].read_text(encoding="utf-8")
    number = re.search(r"\*\*(\d\.\d{3})\*\*", text)
    assert number is not None
    assert pages.filled(text.replace(number[0], "**9.999**"), "en") == text


def test_the_page_that_gains_lead_to_has_their_rows() -> None:
    with (ROOT / "benchmarks/results/recipe.csv").open() as stream:
        arms = {(row["text"], f"{float(row['seconds']):g}", row["arm"]) for row in csv.DictReader(stream)}
    page = (ROOT / "docs/results/recipe.md").read_text(encoding="utf-8")
    assert [arm for arm in sorted(arms) if f"| {' | '.join(arm)} |" not in page] == []


def test_losses_are_those_of_the_rows() -> None:
    with (ROOT / "benchmarks/results/best.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["side"] == "ours" and row["text"] == "shakespeare"]
    last = {float(row["budget"]): float(row["frozen"]) / 111_540 for row in rows}
    lines = [line for line in pages.times("en").splitlines() if "Shakespeare" in line]
    for budget, nats in last.items():
        line = next(line for line in lines if f"| {budget:.0f} s, " in line)
        assert f"**{nats:.3f}**" in line and f"| {nats / math.log(2):.3f} |" in line  # a byte a character


def test_a_chinese_table_has_chinese_units_and_signs() -> None:
    found = "".join(pages.BLOCKS[name]("zh") for name in ("times", "forms", "sizes"))
    assert "120 秒，EPYC" in found and not re.search(r"\d s\b|, [A-Z]|\d \(", found)


def test_parameters_are_those_of_the_model() -> None:
    from mainstem.model import LanguageModel, Settings

    made = LanguageModel(Settings(vocab=4096, layers=4, width=128, heads=4, context=64))
    number = sum(parameter.numel() for parameter in made.parameters())
    assert f"| {number / 1e6:.3g}M | {16 * number / 1e6:.3g} MB |" in pages.sizes("en")


def test_the_picture_shows_what_the_page_says() -> None:
    assert picture.label(picture.PICTURE.read_bytes()) == picture.words(), "run `make pages`"
    for readme in pages.README.values():
        assert f"({picture.PICTURE.relative_to(ROOT)})" in readme.read_text(encoding="utf-8")


def test_a_picture_without_words_has_none() -> None:
    png = picture.PICTURE.read_bytes()
    bare = png[: png.index(b"iTXt") - 4] + png[-12:]
    assert picture.label(bare) == "" and picture.label(picture.labelled(bare, "a\nb")) == "a\nb"


@pytest.mark.parametrize("language", pages.README)
def test_the_cost_of_a_step_is_that_of_the_rows(language: str) -> None:
    text = pages.README[language].read_text(encoding="utf-8")
    with (ROOT / "benchmarks/results/cost.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if not row["also"] and row["tokens"] == "2048"]
    shape = {"layers": "4", "vocabulary": "1024", "context": "128"}
    alike = {row["width"]: float(row["ms"]) for row in rows if shape.items() <= row.items()}
    said = re.findall(r"(\d+) ms at 4 x (\d+)" if language == "en" else r"(?=4 x (\d+) 要 (\d+) 毫秒)", text)
    found = {tuple(pair if language == "en" else reversed(pair)) for pair in said}
    assert found == {(f"{alike[width]:.0f}", width) for width in ("128", "512")}
