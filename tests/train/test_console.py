import io
import os
from pathlib import Path
from typing import Any

import pytest

from mainstem.train import console

NUMBERS: dict[str, Any] = {
    "step": 10, "steps": 100, "loss": 1.5, "rate": 12345.6, "left": 61.0, "held_out": 1.75, "held_out_error": 0.01,
    "gap": {"value": 0.25, "low": 0.2, "high": 0.3, "training": 1.5, "held_out": 1.75},
}  # fmt: skip


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def test_a_step_is_one_plain_line_of_ascii() -> None:
    stream = io.StringIO()
    console.Plain(stream).show(NUMBERS)
    assert stream.getvalue() == "step 10/100  loss 1.5000  held-out 1.7500  gap +0.2500  tokens/s 12,346  left 1:01\n"


def test_what_the_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console.Plain(stream).say("größe")
    assert raw.getvalue() == b"gr\\xf6\\xdfe\n"


def test_a_reader_that_left_does_not_end_the_run(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        plain = console.Plain(stream)
        plain.say("nobody reads this")
        plain.say("nor this")
        plain.show(NUMBERS)


def test_no_stream_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    silent = console.make()
    silent.say("x")
    silent.warn("y")
    silent.show(NUMBERS)
    stream = io.StringIO()
    stream.close()
    console.make(stream).say("x")


@pytest.mark.parametrize(
    ("variable", "value", "fancy"), [("TERM", "xterm", True), ("TERM", "dumb", False), ("NO_COLOR", "1", False)]
)
def test_a_display_only_where_it_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fancy: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    assert (type(console.make(Terminal())).__name__ == "Display") is fancy
    assert type(console.make(io.StringIO())).__name__ == "Plain"


@pytest.mark.parametrize("columns", ["20", "80"])
def test_the_display_shows_the_numbers_and_takes_no_text_for_markup(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    display = console.make(stream)
    with display.running(100):
        display.show(NUMBERS)
        display.say("[red]not a colour[/red]")
        display.warn("careful")
    assert "held-out 1.7500" in stream.getvalue()
    assert "[red]not a colour[/red]" in stream.getvalue()
    assert "careful" in stream.getvalue()


def test_the_reading_of_data_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 3.0, 3.0, 4.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    stream = io.StringIO()
    tell = console.reading(console.Plain(stream))
    for done in (1, 2, 3):
        tell("tokens", done * 10**6, 4 * 10**6)
    assert stream.getvalue() == "tokens: 50% of 4 MB\n"
