"""The conditions that the guide states under each verdict are those of the trainings that were published.

They are worked out here from the cells of docs/results/lab/*.json alone, and not by the code that writes the sentence.
"""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2
import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
from made import lab
from shown import joined

from mainstem import catalogue
from mainstem.lab.conditions import Conditions

EXPERIMENTS = catalogue.names("experiment")
NUMBER = r"\d+(?:[,.]\d+)*%?"
UNTRAINED = {("vanishing", "decades"), ("exploding", "growth")}
"""Numbers that are taken before the first step."""


def published(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((lab.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def either(values: set[int]) -> str:
    """One value, or two: `2 or 16`."""
    first, *rest = (f"{value:,}" for value in sorted(values))
    assert len(rest) < 2
    return " or ".join([first, *rest])


def expected(content: dict[str, Any], contrast: dict[str, Any]) -> str:
    """The sentence, from the settings of the contrast's cells."""
    cells = [cell["setting"] for cell in content["cells"] if cell["name"] in contrast["weights"]]
    assert len(cells) == len(contrast["weights"])
    each = {name: {cell[name] for cell in cells} for name in ("bytes", "layers", "width", "context", "batch", "steps")}
    (text,) = {cell["text"] for cell in cells}
    blocks = f"{either(each['layers'])} blocks of width {either(each['width'])}, context {either(each['context'])}"
    seeds = f"{len(content['seeds'])} seeds."
    begin = f"{either(each['bytes'])} bytes of {text}"
    if (content["experiment"], contrast["value"]) in UNTRAINED:
        return f"{begin}; networks at their initial weights; {blocks}; {seeds}"
    (passes,) = {cell["steps"] * cell["batch"] * cell["context"] / cell["tokens"] for cell in cells}
    read = f"read {passes:.3g} times" if passes >= 1 else f"of which {100 * passes:.2g}% is read"
    return f"{begin} {read}; {blocks}; {either(each['steps'])} steps of {either(each['batch'])} sequences; {seeds}"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_conditions_under_each_verdict_are_those_of_its_trainings(name: str) -> None:
    content, found = published(name), lab.stored(name)
    assert found is not None
    by_sentence = {contrast["says"]: contrast for contrast in content["contrasts"]}
    for contrast, _, _ in found.results.judged():
        said = expected(content, by_sentence[contrast.says])
        assert lab.conditions(found, contrast, "en") == f"{said} {content['conditions']}"
        chinese = lab.conditions(found, contrast, "zh")
        numbers = re.findall(NUMBER, said)
        assert sorted(numbers) == sorted(re.findall(NUMBER, chinese[: chinese.index("個種子")]))


@pytest.mark.parametrize(
    ("passes", "said"), [((0.996,), "99.6%"), ((0.01, 0.02), "1% 或 2%"), ((0.01, 0.02, 0.4), "1% 至 40%")]
)
def test_parts_of_a_text_are_told_in_chinese_as_in_english(passes: tuple[float, ...], said: str) -> None:
    known = Conditions(("a.txt",), (8192,), passes, (2,), (64,), (64,), (16,), (200,), 8)
    assert f"只讀其中的 {said}；" in lab._in_chinese(known)
    assert said.replace(" 或 ", " or ").replace(" 至 ", " to ") in known.said()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_s_own_words_say_nothing_that_a_flag_may_change(name: str) -> None:
    """Sizes, text and passes stand in the sentence before, as they were; `--model.width 16` would make words false."""
    for words in (published(name)["conditions"], catalogue.resolve("experiment", name).conditions):
        assert re.findall(r"(?:\d+|[Tt]wo|[Tt]hree) blocks|[Ww]idth \d+|\d bytes|\d times;", words) == []


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_verdict_of_the_page_has_its_conditions(name: str, language: str) -> None:
    """Those of the first sentence stand once; another sentence has its own where they differ."""
    found = lab.stored(name)
    assert found is not None
    shown = joined(lab.experiment(name, language)).replace("&#x27;", "'").replace("&#39;", "'")
    for contrast, _, _ in found.results.judged():
        assert lab.conditions(found, contrast, language) in shown


def test_the_template_of_figures_is_compiled_once_a_language(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, original = [], jinja2.Environment.compile

    def noted(self: jinja2.Environment, source: str, name: str, *rest: Any) -> Any:
        compiled.append(name)
        return original(self, source, name, *rest)

    monkeypatch.setattr(jinja2.Environment, "compile", noted)
    for name in ("vanishing", "l1"):
        assert lab.experiment(name, "en") and lab.figure(name, "en")
    assert len(compiled) == len({*compiled})
