"""The guide: equal in both languages, every claim that is tested has its place, every formula of the section too."""

import re
from pathlib import Path

import pytest

from mainstem import catalogue

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide"
ENGLISH, CHINESE = GUIDE / "en", GUIDE / "zh-TW"
NAMES = sorted(path.name for path in ENGLISH.glob("*.md"))

FORMULAS = (
    "y = F(x) + x",
    r"\lambda \sum_i |w_i|",
    r"\lambda \sum_i w_i^2",
    r"y = x \cdot d",
    "y = z + x",
    r"\hat{x_i} = \frac{x_i - \mu}{\sigma} \cdot \gamma + \beta",
)
"""All that section 7.4 has."""


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


def formulas(page: str) -> list[str]:
    """Return the formulas of a page, those within its text too, without their words."""
    outside = re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.DOTALL)
    found = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", outside, re.DOTALL)
    return [re.sub(r"\\text\{[^}]*\}", "", display or inline).strip() for display, inline in found]


def test_both_languages_have_the_same_pages() -> None:
    fields = {"configuration.md"}  # in English it lies beside the guide
    assert set(NAMES) == {path.name for path in CHINESE.glob("*.md")} - fields
    assert len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_content(name: str) -> None:
    ours, theirs = text(ENGLISH, name), text(CHINESE, name)
    for pattern in (r"^#+(?= )", r"<!-- .*? -->", r"```.*?```", r"\b\d{4}\.\d{5}\b", r"^\|[-| ]+\|$"):
        found = [re.findall(pattern, page, re.MULTILINE | re.DOTALL) for page in (ours, theirs)]
        assert found[0] == found[1], pattern
    links = [sorted(re.findall(r"\]\(([^)#]*)(#?)", page)) for page in (ours, theirs)]
    assert links[0] == links[1], "a page, or a section, that one language leads to"
    assert sorted(formulas(ours)) == sorted(formulas(theirs))
    paragraphs = [len(re.findall(r"\n\n(?=\S)", page)) for page in (ours, theirs)]
    assert paragraphs[0] == paragraphs[1]


def test_every_experiment_has_its_place() -> None:
    pages = "\n".join(text(ENGLISH, name) for name in NAMES)
    assert set(re.findall(r"<!-- lab: (\S+) -->", pages)) == set(catalogue.names("experiment"))
    assert pages.count("<!-- verdicts -->") == 1


def test_every_formula_of_the_section_stands_there() -> None:
    found = " ".join(one for name in NAMES for one in formulas(text(ENGLISH, name)))
    missing = [one for one in FORMULAS if one.replace(" ", "") not in found.replace(" ", "")]
    assert missing == []


@pytest.mark.parametrize("term", ["殘差連接", "正則化", "過擬合", "層正規化", "梯度消失", "前向全連接層"])
def test_the_section_s_own_terms_are_used(term: str) -> None:
    assert any(term in text(CHINESE, name) for name in NAMES)
