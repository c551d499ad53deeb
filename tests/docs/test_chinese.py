"""The Chinese pages are Chinese, in one vocabulary: the textbook's words, one word a thing, no English sentence."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
import shown
import yaml

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
from made import chinese, lab

from mainstem import catalogue
from mainstem.lab.result import from_json

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.zh-TW.md", *sorted((DOCS / "guide" / "zh-TW").glob("*.md"))]
TEXTS = [DOCS / "lab.zh-TW.yaml", DOCS / "fields.zh-TW.yaml"]
MAKERS = [*sorted((DOCS / "made").glob("*.py")), *(DOCS / name for name in ("hooks.py", "index.md", "search.js"))]
WORDS = [*PAGES, *TEXTS, *MAKERS, DOCS / "theme.css", ROOT / "mkdocs.zh-TW.yml"]
HAN = r"[\u4e00-\u9fff]"
GLOSSARY = yaml.safe_load((DOCS / "glossary.zh-TW.yaml").read_text(encoding="utf-8"))
EXPERIMENTS = catalogue.names("experiment")
drawn = functools.cache(lab.experiment)


@pytest.mark.parametrize("word", GLOSSARY)
def test_one_word_is_used_for_a_thing(word: str) -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in WORDS}
    assert any(word in text for text in texts.values()), "a word that is nowhere needs no line"
    found = [
        (name, number, other)
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for other in GLOSSARY[word]
        if re.search(HAN, line) and re.search(other, line)
    ]
    assert found == [], f"take {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_ends_within_a_paragraph(page: Path) -> None:
    """A newline between two Chinese signs becomes a blank on the page."""
    outside, before, found = True, "", []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            outside, before = not outside, ""
            continue
        text = outside and line and not line.startswith(("|", "#", "-", ">", "<")) and not re.match(r"\d+\. ", line)
        if text and before:
            found.append(f"{before[-20:]} | {line[:20]}")
        before = line if text else ""
    assert found == []


def written(path: Path) -> str:
    """Return what a reader reads of a page, code and addresses aside, or the Chinese of a file of translations."""
    text = path.read_text(encoding="utf-8")
    if path in TEXTS:
        values = yaml.safe_load(text).values()
        text = "\n".join(str(one) for each in values for one in (each.values() if isinstance(each, dict) else [each]))
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\]\([^)\n]*\)", "]", re.sub(r"`[^`\n]*`", "code", text))


@pytest.mark.parametrize("path", [*PAGES, *TEXTS], ids=lambda path: path.name)
def test_signs_beside_chinese_are_full_width_and_latin_words_stand_apart(path: Path) -> None:
    wrong = rf"{HAN}[,;:!?(A-Za-z0-9]|[,;:!?)A-Za-z0-9]{HAN}"
    assert re.findall(rf".{{0,10}}(?:{wrong}).{{0,10}}", written(path)) == []


def visible(html: str) -> str:
    """Return the text of a part of a page that a reader sees, code aside."""
    html = shown.joined(html)
    for pattern in (r"<(style|script|code)\b.*?</\1>", r"<[^>]*>"):
        html = re.sub(pattern, " ", html, flags=re.DOTALL)
    return html


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_the_laboratory_shows_has_no_english_sentence(name: str) -> None:
    for part in (drawn(name, "zh"), lab.figure(name, "zh")):
        assert re.findall(r"[A-Za-z]{2,}(?:,? [a-z]{2,}){2,}", visible(part)) == []
        names = re.findall(r'"name":"([^"]*)"', part)
        assert names and all(re.search(f"{HAN}|norm|Dropout", each) for each in names)
        assert not re.search(r"nats per byte|decades|supported|refuted", visible(part))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_sentence_of_an_experiment_has_its_chinese(name: str) -> None:
    experiment = catalogue.resolve("experiment", name)
    said = [experiment.claim, experiment.question, experiment.conditions]
    for contrast in experiment.contrasts:
        said += [contrast.says, contrast.unit]
    for text in said:
        assert re.search(f"{HAN}|nat", chinese.say(text))


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_conditions_and_the_tested_sentence_stand_by_the_verdict(name: str, language: str) -> None:
    content = json.loads((lab.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    results = from_json(catalogue.resolve("experiment", name), content)
    said = visible(drawn(name, language))
    contrast, _, verdict = results.judged()[0]
    known = results.conditions(contrast)
    assert known is not None
    place = said.index(lab.say(verdict, language))
    assert said.index(lab.say(contrast.says, language).replace("'", "&#39;"), place) - place < 60
    seeds = f"{len(results.seeds)} {'個種子' if language == 'zh' else 'seeds'}"
    for part in (f"{known.bytes[0]:,}", str(known.width[0]), seeds, lab.say(experiment_claim(name), language)):
        assert part in said
    if known.steps != (0,):
        assert f"{known.steps[0]:,}" in said
    for other, _, _ in results.judged():
        assert lab.say(other.says, language) in said.replace("&#39;", "'").replace("&#x27;", "'")


def experiment_claim(name: str) -> str:
    claim: str = catalogue.resolve("experiment", name).claim
    return claim


def test_what_has_no_chinese_is_said_by_name() -> None:
    with pytest.raises(chinese.Missing, match="№ new words"):
        chinese.say("3 new words")
    assert chinese.say("A penalty with coef 0.01 narrows the gap.") == "coef 為 0.01 的懲罰項縮小泛化差距。"


def test_numbers_come_through_whole() -> None:
    for text in yaml.safe_load(chinese.FILE.read_text(encoding="utf-8")).items():
        english, translated = (part.count(chinese.SIGN) for part in text)
        assert english == translated or "{" in text[1], text
