"""The card says what facts.json and metrics.jsonl say, and nothing that nobody measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import run_folders
import shown

from mainstem.report import card, page, source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return run_folders.make(tmp_path / "run")


def parts(folder: Path) -> dict[str, card.Part]:
    return {part.title: part for part in card.card(source.read(folder))}


def test_loss_with_its_intervals(folder: Path) -> None:
    best = json.loads((folder / "facts.json").read_text())["outcome"]["best"]
    said = " ".join(parts(folder)["Held-out loss"].sentences)
    value = best["nats_per_token"]
    assert f"{value:.4f} nats per token, {best['bits_per_byte']:.4f} bits per byte, over 16,384 held-out" in said
    assert f"95% interval is {value - 1.96 * 0.03:.3f} to {value + 1.96 * 0.03:.3f} nats" in said
    assert said.count("the gap to the training text is") == 1
    assert "The gap" not in said
    assert "That is a sample" not in said
    facts = json.loads((folder / "facts.json").read_text())
    facts["outcome"]["best"]["error"] = 0.01
    (folder / "facts.json").write_text(json.dumps(facts))
    said = " ".join(parts(folder)["Held-out loss"].sentences)
    assert f"That is a sample; all of the held-out part has {value - 0.0196:.3f} to {value + 0.0196:.3f}" in said


def test_yardsticks_calibration_choices_text_cost_and_limits(folder: Path) -> None:
    found = parts(folder)
    bits = json.loads((folder / "facts.json").read_text())["outcome"]["best"]["bits_per_byte"]
    assert list(found["Yardsticks"].rows[1]) == [
        "counts that go on in the held-out text", "2.2040", f"{bits - 2.204:+.4f}"
    ]  # fmt: skip
    assert found["Yardsticks"].sentences == ["The model beats every yardstick."]
    assert "in 50.0% of 16,384 held-out places" in found["Calibration"].sentences[0]
    assert "62.5% on average: it is surer than it is right" in found["Calibration"].sentences[0]
    assert "0.013" in found["Calibration"].sentences[0] or "0.012" in found["Calibration"].sentences[0]
    assert list(found["Choices"].rows) == [["size", "6 x 128", "2,000 steps fit (measured)"]]
    assert found["Choices"].sentences == [
        "Chosen for a budget of 2 min 30 s, from the text and the speed of the machine.", "Given: model.layers."
    ]  # fmt: skip
    assert ["training", "10 MB, 10,038,954 tokens"] in [list(row) for row in found["Text"].rows]
    assert ["parameters", "1,214,080, 4.86 MB in float32"] in [list(row) for row in found["Cost"].rows]
    assert ["training", "2,000 steps, 8.19M tokens"] in [list(row) for row in found["Cost"].rows]
    limits = " ".join(found["Limits"].sentences)
    assert f"{2000 * 4096 / 10_038_954:.4g} times" in limits
    assert "1.2% of the held-out characters" in limits
    assert found["Stages"].rows[0][0] == "before the first step"


def test_one_time_is_in_the_singular(folder: Path) -> None:
    facts = json.loads((folder / "facts.json").read_text())
    facts["corpus"]["train_tokens"] = 2000 * 4096
    (folder / "facts.json").write_text(json.dumps(facts))
    assert "It saw its training text 1 time, and" in " ".join(parts(folder)["Limits"].sentences)


def test_the_page_and_the_file_say_the_same(folder: Path) -> None:
    page.write(folder)
    text = (folder / "card.md").read_text()
    html = shown.joined((folder / "report.html").read_text())
    for part in card.card(source.read(folder)):
        assert f"## {part.title}\n" in text
        assert f"<h3>{part.title}</h3>" in html or part.title == "Stages"  # which the figure has
        plain = [sentence for sentence in part.sentences if not re.search(r"[<>_*`|]", sentence)]
        assert all(sentence in text for sentence in plain)
    assert html.count('class="f-counts"') >= 2
    assert 'id="figure-waterfall"' in html


def test_what_is_not_known_is_not_said(tmp_path: Path) -> None:
    bare = run_folders.make(tmp_path / "bare", run_folders.Made(finished=False))
    (bare / "facts.json").unlink()
    (bare / "metrics.jsonl").write_text("")
    text = card.markdown(source.read(bare))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Choices"]
    assert "None" not in text
    assert "nan" not in text


def test_a_stranger_s_text_stays_text(tmp_path: Path) -> None:
    text = card.markdown(source.read(run_folders.evil_folder(tmp_path / "run")))
    assert not re.search(r"(?<!\\)[<`]", text)
    assert "\x1b" not in text
    assert "\u202e" not in text
    choices = text.partition("## Choices")[2].partition("##")[0].splitlines()
    assert {line.replace("\\|", "").count("|") for line in choices if line.startswith("|")} == {4}


def test_a_remark_with_lines_and_signs_of_its_own_stays_one_sentence(tmp_path: Path) -> None:
    run = source.read(run_folders.make(tmp_path / "run"))
    run.facts["remarks"] = ["of a.txt\n\n# Injected &lt;b&gt;"]
    made = card.markdown(run)
    assert "of a.txt␊␊\\# Injected \\&lt;b\\&gt;" in made
    assert "\n# Injected" not in made
