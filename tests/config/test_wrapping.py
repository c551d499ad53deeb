"""Lines end between words, never between a name and its value."""

from __future__ import annotations

import re

import pytest

from mainstem.cli.main import main
from mainstem.config.words import wrap
from mainstem.config.wrapping import columns, fill, parts

TOGETHER = [
    "{start: 1.0}", "{streams: 4, weights: x}", "weights: dynamic}", "int >= 1;", "number > 0, < 1]", "a = 0",
    "--seed 1.", "[--budget 2m]", "`mainstem train --help`", "`train: {steps: 100}`", "1.6 MiB", "of 90 s",
    "--noise.also.0.rate 0.1",
]  # fmt: skip
APART = ["auto: by size", "--noise.rate, --noise.depth", "two words", "--all | --budget", "4 streams", "a < b > c: d"]
BROKEN = re.compile(r"\{[^{}]*[\w.]+:$|(^|\s)([<>]=?|=)$|\[(int|number)$")
"""The end of a line that stands between a name and its value, or between a number and its bound."""


@pytest.mark.parametrize("text", TOGETHER)
@pytest.mark.parametrize("width", range(30, 60))
def test_what_belongs_together_stands_on_one_line(text: str, width: int) -> None:
    whole = f"one and two and three words of text and {text} and other words"
    for lines in (fill(whole, width), wrap(whole, width, 4, "  x ")):
        held = text.removeprefix("of ")
        assert any(held in line for line in lines)
        assert max(map(len, lines)) <= width


@pytest.mark.parametrize("text", APART)
def test_lines_end_between_other_words(text: str) -> None:
    assert len(parts(text, 80)) > 1


@pytest.mark.parametrize("text", [*TOGETHER, *APART, "  a  b ", "長江 的 幹流", "`open", "{a: {b: 1}, c: 2}", "x\xa0y"])
@pytest.mark.parametrize("room", [1, 5, 80])
def test_no_sign_is_lost(text: str, room: int) -> None:
    assert "".join(parts(text, room)) == text.rstrip()


def test_what_has_no_room_is_broken_and_a_command_is_not() -> None:
    assert fill("{abcdef: ghijkl}", 10) == ["{abcdef:", "ghijkl}"]
    assert fill("as `mainstem train --help` says", 10) == ["as", "`mainstem train --help`", "says"]
    assert wrap("", 20) == [] and wrap("", 20, 4, "  x") == ["  x"] and wrap("", 20, 4, "  longer") == ["  longer"]


@pytest.mark.parametrize("width", [60, 72, 80, 100])
@pytest.mark.parametrize("command", ["list", "train --help", "train -h", "lab -h", "evaluate -h", "sample -h"])
def test_no_line_of_a_screen_ends_within(
    command: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(command.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if BROKEN.search(line)] == []
    assert max(map(columns, lines)) <= width
