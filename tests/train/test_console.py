import io
import os
from pathlib import Path
from typing import Any

import pytest

from mainstem.train import console

NUMBERS: dict[str, Any] = {
    "step": 10, "steps": 100, "loss": 1.5, "rate": 12345.6, "left": 61.0, "held_out": 1.75, "held_out_error": 0.004,
    "gap": {"value": 0.25, "low": 0.2, "high": 0.3, "training": 1.5, "held_out": 1.75},
}  # fmt: skip


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def test_a_step_is_one_plain_line_of_ascii() -> None:
    stream = io.StringIO()
    console.Plain(stream).show(NUMBERS)
    assert stream.getvalue() == "step 10/100  loss 1.500  held-out 1.750 +-0.004  gap 0.20 to 0.30  left 1:01\n"


def test_a_gap_of_all_the_text_is_one_number() -> None:
    stream = io.StringIO()
    console.Plain(stream).show({**NUMBERS, "gap": {"value": 0.25, "low": 0.25, "high": 0.25}})
    assert "gap 0.25  left" in stream.getvalue()


def test_what_was_not_measured_is_not_shown() -> None:
    stream = io.StringIO()
    plain = console.Plain(stream)
    plain.show({name: NUMBERS[name] for name in ("step", "steps", "loss", "rate", "left")})
    plain.show({**NUMBERS, "held_out_error": None, "gap": None})
    assert stream.getvalue().splitlines() == [
        "step 10/100  loss 1.500  tokens/s 12,346  left 1:01",
        "step 10/100  loss 1.500  held-out 1.750  tokens/s 12,346  left 1:01",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = io.StringIO()
    plain = console.Plain(stream)
    plain.show({**NUMBERS, "step": 123456, "steps": 1234567, "left": 372500.0})
    plain.say("a text that is said is folded between its words, so that it has no line beyond the terminal's edge")
    assert max(map(len, stream.getvalue().splitlines())) <= width
    assert "left 103:28:20" in stream.getvalue()


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
    ("variable", "value", "fancy"),
    [
        ("TERM", "xterm", True), ("TERM", "dumb", False), ("TERM", "unknown", False), ("TERM", "", False),
        ("NO_COLOR", "1", False),
    ],
)  # fmt: skip
def test_a_display_only_where_it_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fancy: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    assert (type(console.make(Terminal())).__name__ == "Display") is fancy
    assert type(console.make(io.StringIO())).__name__ == "Plain"


def test_a_pass_says_how_far_it_is_where_nothing_else_is_said() -> None:
    now = 0.0
    stream = io.StringIO()
    plain = console.Plain(stream, lambda: now)
    for done in range(0, 101, 5):
        plain.measuring("reading", done, 100)
        now += 1.5
    assert stream.getvalue().splitlines() == [f"reading: {share}%" for share in (20, 40, 60, 80)]
