"""The page as text: complete, self-contained, escaped, atomic."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import run_folders
import shown
from run_folders import evil_folder

from mainstem.errors import RunFailed
from mainstem.report import write


class Parsed(HTMLParser):
    """Elements with their attributes, text by element, and whether every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.goes_on = False
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.goes_on = tag == "wbr"  # a place for a break, which is in the middle of a word
        if tag not in ("meta", "br", "wbr", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.goes_on and self.text:
            self.text[-1] = (self.text[-1][0], self.text[-1][1] + data)
        else:
            self.text.append((self.open[-1] if self.open else "", data))
        self.goes_on = False

    def within(self, tag: str) -> list[str]:
        return [data for where, data in self.text if where == tag]


@pytest.fixture
def parsed(tmp_path: Path) -> Parsed:
    return Parsed(shown.joined(write(run_folders.make(tmp_path / "run")).read_text(encoding="utf-8")))


def test_every_part_is_on_the_page(parsed: Parsed) -> None:
    text = " ".join(data for where, data in parsed.text if where not in ("script", "style"))
    for expected in (
        "Finished all its steps", "1.4977 nats per token", "It overfits", "unigram 4.81", "Speed",
        "tokens per second", "Learning rate", "Gradient norm", "backward", "The stream by depth",
        "The gradient by depth", "dropout, embedding", "Decoupled weight decay 0.1", "coef * sum |w|",
        "attention.query", "class Archive", "temperature 0.8", "10,038,954",
        "mainstem train 'my corpus.txt' --out runs/first", "2.13.0", "AVX512", "every: 100", "Seed",
    ):  # fmt: skip
        assert expected in text, expected


def test_a_table_stands_behind_every_figure(parsed: Parsed) -> None:
    figures = [attrs["id"] for tag, attrs in parsed.elements if tag == "figure" and attrs.get("id")]
    assert figures == [
        "figure-waterfall", "figure-loss", "figure-gap", "figure-rate", "figure-gradient", "figure-speed",
        "figure-phases", "figure-stream", "figure-flow",
    ]  # fmt: skip
    assert parsed.within("summary").count("Table") == len(figures)
    ids = [attrs["id"] for _, attrs in parsed.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    labelled = [attrs["aria-labelledby"] for _, attrs in parsed.elements if attrs.get("aria-labelledby")]
    assert set(labelled) <= set(ids)
    links = [attrs["href"] for tag, attrs in parsed.elements if tag == "a"]
    assert {str(link).removeprefix("#") for link in links} <= set(ids)


def test_every_style_that_the_figures_name_is_one_that_the_page_has(parsed: Parsed) -> None:
    named = {name for _, attrs in parsed.elements for name in str(attrs.get("class") or "").split()}
    drawn = {name for name in named if re.match(r"[fspb]-", name)}
    assert {"f-train", "f-held", "s-train", "b-gap", "p-forward"} <= drawn
    style = parsed.within("style")[0]
    assert {name for name in drawn if not re.search(rf"\.{name}\b", style)} == set()


def test_nothing_on_the_page_points_outside(parsed: Parsed) -> None:
    for tag, attrs in parsed.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "use", "image")
        assert not {"src", "srcset", "style", "action", "xlink:href"} & attrs.keys()
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"url\(|@import|https?://", " ".join(parsed.within("style") + parsed.within("script")))


def test_the_policy_names_the_page_s_own_script_and_style_and_nothing_else(parsed: Parsed) -> None:
    policy = next(attrs["content"] for tag, attrs in parsed.elements if attrs.get("http-equiv"))
    assert policy is not None
    scripts = [attrs for tag, attrs in parsed.elements if tag == "script"]
    code = [text for text, attrs in zip(parsed.within("script"), scripts, strict=True) if "type" not in attrs]
    assert len(code) == 1
    for directive, text in (("script-src", code[0]), ("style-src", parsed.within("style")[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_a_users_text_is_shown_and_never_becomes_markup(tmp_path: Path) -> None:
    folder = evil_folder(tmp_path / "<b>run&")
    clean = Parsed(write(run_folders.make(tmp_path / "clean", run_folders.Made(steps=300))).read_text())
    text = write(folder).read_text(encoding="utf-8")
    found = Parsed(text)
    known = {tag for tag, _ in clean.elements}
    assert {tag for tag, _ in found.elements} <= known
    scripts, expected = ([tag for tag, _ in page.elements].count("script") for page in (found, clean))
    assert scripts == expected
    assert "bad()" not in " ".join(found.within("script"))
    shown = " ".join(data for where, data in found.text if where not in ("script", "style"))
    assert shown.count("<script>bad()</script><img src=x onerror=bad()>\"'`{{ 7*7 }}{% raw %}]]>--><!--␀␛[31m") >= 10
    assert "<b>run&" in found.within("title")[0]
    for character in "\x00\x1b\u2028\u202e":
        assert character not in text


def test_a_deep_run_of_many_steps_makes_a_page_below_a_megabyte(tmp_path: Path) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=50, layers=100))
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    bodies = [line.split(",", 1)[1] for line in lines]
    with open(folder / "metrics.jsonl", "w") as stream:
        for step in range(1, 30_001):
            stream.write(f'{{"step": {step * 33}, {bodies[step % 50]}\n')
    path = write(folder)
    assert path.stat().st_size < 1e6
    Parsed(path.read_text())


@pytest.mark.parametrize("missing", ["facts.json", "metrics.jsonl", "samples.json", "all"])
def test_what_is_missing_costs_its_part_alone(tmp_path: Path, missing: str) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=50))
    for name in ["facts.json", "metrics.jsonl", "samples.json"] if missing == "all" else [missing]:
        (folder / name).unlink()
    text = write(folder).read_text()
    Parsed(text)
    assert ("Samples are written when the run ends." in text) == (missing in ("samples.json", "all"))
    assert ("No step has been recorded yet." in text) == (missing in ("metrics.jsonl", "all"))


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_run_of_very_few_points_has_a_page(tmp_path: Path, lines: int) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=lines, eval_every=1, quantities=1, layers=1))
    Parsed(write(folder).read_text())


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-300, 1e99, 5])
def test_constant_and_extreme_curves_have_a_page(tmp_path: Path, value: float) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=3))
    line: dict[str, Any] = {
        "loss": value, "lr": value, "grad_norm": value, "tokens": 1, "seconds": 0.0, "stream": [value],
        "penalty": value, "gradient": [value, value], "held_out": {"nats_per_token": value, "bits_per_byte": value},
        "gap": value, "phases": {"data": value},
    }  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": s, **line}) + "\n" for s in (0, 1, 2)))
    (folder / "facts.json").unlink()
    text = write(folder).read_text()
    Parsed(text)
    assert not re.search(r'd="[^"]*(nan|inf)', text)


def test_the_page_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run_folders.make(tmp_path / "run", run_folders.Made(steps=20))
    before = write(folder).read_bytes()
    assert write(folder).read_bytes() == before, "the same run gives the same bytes"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(RunFailed, match="the disk is full"):
        write(folder)
    assert (folder / "report.html").read_bytes() == before
    assert not list(folder.glob(".new-*"))
